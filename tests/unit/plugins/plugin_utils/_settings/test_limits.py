# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between what a timeout, a count and a duration may be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._settings.limits import problems

DEFAULTS: dict[str, Any] = {
    "k3s_registries_restart_timeout": 300, "k3s_registries_canary_timeout": 120, "k3s_registries_probe_timeout": 10.0,
    "k3s_registries_max_failures": 0, "k3s_registries_keep_generations": 3, "k3s_registries_diagnose_since": "24h",
    "k3s_registries_report_since": "24h",
}  # fmt: skip


def test_the_defaults_are_well_as_numbers_and_as_text() -> None:
    assert problems(DEFAULTS) == []
    assert problems({name: str(value) for name, value in DEFAULTS.items()}) == []
    assert problems({}) == []


@pytest.mark.parametrize(
    ("name", "value", "range_"),
    [
        ("restart_timeout", 0, "from 1 to 86400 seconds"),
        ("restart_timeout", -300, "from 1 to 86400 seconds"),
        ("restart_timeout", 1000000, "from 1 to 86400 seconds"),
        ("canary_timeout", 0, "from 1 to 86400 seconds"),
        ("probe_timeout", 0, "from 0.1 to 3600 seconds"),
        ("probe_timeout", "nan", "from 0.1 to 3600 seconds"),
        ("probe_timeout", "inf", "from 0.1 to 3600 seconds"),
        ("probe_timeout", None, "from 0.1 to 3600 seconds"),
        ("batch_pause", -1, "from 0 to 86400 seconds"),
        ("batch_pause", "1 h", "from 0 to 86400 seconds"),
        ("max_failures", -1, "from 0 to 100000 nodes"),
        ("max_failures", "ten", "from 0 to 100000 nodes"),
        ("keep_generations", 0, "from 1 to 100 earlier states"),
        ("keep_generations", 101, "from 1 to 100 earlier states"),
    ],
)
def test_what_is_out_of_range_is_named_with_what_was_given(name: str, value: Any, range_: str) -> None:
    [said] = problems({**DEFAULTS, "k3s_registries_" + name: value})
    assert said == "k3s_registries_%s is %s: it must be %s" % (name, value, range_)


@pytest.mark.parametrize("value", ["", "90", "30m", "2h", "1d", "2026-11-25T02:00:00Z"])
def test_durations_and_times(value: str) -> None:
    assert problems({"k3s_registries_diagnose_since": value}) == []


@pytest.mark.parametrize("value", ["yesterday", "-2h", "2 hours", "2026-13-41T02:00:00Z"])
@pytest.mark.parametrize("name", ["k3s_registries_diagnose_since", "k3s_registries_report_since"])
def test_what_is_no_time(name: str, value: str) -> None:
    [said] = problems({name: value})
    assert said.startswith(name + ": ")
    assert repr(value) in said


def test_several_mistakes_are_told_at_once() -> None:
    assert len(problems(dict.fromkeys(DEFAULTS, "soon"))) == len(DEFAULTS)


@pytest.mark.parametrize("value", ["", None, 1, "3600", 870, "4:30", "04:30", "23:59", "00:00"])
def test_seconds_and_times_of_day_after_which_no_node_is_begun(value: Any) -> None:
    assert problems({"k3s_registries_stop_after": value}) == []


@pytest.mark.parametrize("value", [0, "-1", "604801", "24:00", "4:3", "4:60", "04:30:00", "1h", "midnight", 4.5, "٣"])
def test_what_is_neither(value: Any) -> None:
    [said] = problems({"k3s_registries_stop_after": value})
    assert said.startswith("k3s_registries_stop_after: %r is neither a number of seconds from 1 to 604800" % str(value))
    assert '"04:30", in quotes' in said


@pytest.mark.parametrize("value", ["", None, "/var/lib/prometheus/node-exporter"])
def test_a_folder_on_the_nodes(value: Any) -> None:
    assert problems({"k3s_registries_metrics_dir": value}) == []


@pytest.mark.parametrize("value", ["node-exporter", "~/metrics", "/var/lib\n/x", True])
def test_what_is_no_absolute_path(value: Any) -> None:
    [said] = problems({"k3s_registries_metrics_dir": value})
    assert said.startswith("k3s_registries_metrics_dir is %s: it must be a folder on the nodes, as an absolute" % value)
