# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written is what Prometheus reads, whatever is in labels."""

from __future__ import annotations

import math

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._metrics.exposition import Family, text
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

# All that a text can have, and more often what the format gives a meaning to.
WORDS = st.one_of(st.text(max_size=8), st.text(alphabet='\\"n\n{}=, #\r\t\x85\u2028', max_size=8))
NUMBERS = st.one_of(st.floats(), st.integers(-(2**60), 2**60).map(float), st.booleans())
SAMPLES = st.dictionaries(st.tuples(WORDS, WORDS), NUMBERS, min_size=1, max_size=4)


def encodable(word: str) -> str:
    return word.encode("utf-8", "replace").decode("utf-8")


@given(WORDS.map(lambda word: "x" + word + "x"), SAMPLES)
def test_prometheus_reads_back_what_was_meant(said: str, samples: dict[tuple[str, str], float]) -> None:
    once = {tuple(map(encodable, pair)): value for pair, value in samples.items()}
    family = Family("k3s_x", said, tuple(({"a": a, "b": b}, value) for (a, b), value in once.items()))
    written = text([family, Family("k3s_y", "no samples", ())])
    assert written.endswith("\n")
    (found,) = text_string_to_metric_families(written)
    assert (found.name, found.type, found.documentation) == ("k3s_x", "gauge", encodable(said))
    assert [dict(sample.labels) for sample in found.samples] == [{"a": a, "b": b} for a, b in once]
    for sample, value in zip(found.samples, once.values()):
        assert sample.value == float(value) or (math.isnan(sample.value) and math.isnan(value))


def test_the_form() -> None:
    family = Family("k3s_x", 'a "b" \\ \n c', (({}, 3), ({"l": 'a "b" \\ \n c'}, 0.25), ({"l": ""}, True)))
    assert text([family]) == (
        '# HELP k3s_x a "b" \\\\ \\n c\n# TYPE k3s_x gauge\n'
        'k3s_x 3\nk3s_x{l="a \\"b\\" \\\\ \\n c"} 0.25\nk3s_x{l=""} 1\n'
    )


def test_half_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert text([Family("k3s_x", "h", (({"l": "a\udcff"}, 1),))]).encode().endswith(b'{l="a?"} 1\n')
