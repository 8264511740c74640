# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations as the kubelet reads them."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.go_duration import seconds
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0), ("-0", 0), ("+0", 0), ("0s", 0), ("12h", 43200), ("1h30m", 5400), ("1.5h", 5400), (".5s", 0.5),
        ("1.s", 1), ("-10m", -600), ("250ms", 0.25), ("3us", 3e-6), ("3\u00b5s", 3e-6), ("1s1h", 3601),
        ("2562047h47m16.854775807s", 9223372036.854775807),
    ],
)  # fmt: skip
def test_what_go_reads(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["", "12", "h", ".s", "12 h", "12H", "1d", "--1s", "s1", "1h-1m", "0x1s", "12h\n", "\u0661s", "3000000h"]
)
def test_what_go_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"no duration|292 years"):
        seconds(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(seconds(text), float)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_parts_add_up(hours: int, minutes: int, rest: int) -> None:
    assert seconds("%dh%dm%ds" % (hours, minutes, rest)) == hours * 3600 + minutes * 60 + rest
