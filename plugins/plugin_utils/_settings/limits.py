# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers, times and folders that steer a run, checked before it: too short a timeout fails every node that is well,
and what is mistyped shows only after the first restart."""

from __future__ import annotations

import time
from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.moments import parse_since
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import stop_after

_DAY = 86400


class Range(NamedTuple):
    """The least and the most, both allowed, and of what."""

    least: float
    most: float
    unit: str


_RANGES = {
    "k3s_registries_restart_timeout": Range(1, _DAY, "seconds"),
    "k3s_registries_quorum_timeout": Range(0, _DAY, "seconds"),
    "k3s_registries_canary_timeout": Range(1, _DAY, "seconds"),
    "k3s_registries_probe_timeout": Range(0.1, 3600, "seconds"),
    "k3s_registries_batch_pause": Range(0, _DAY, "seconds"),
    "k3s_registries_max_failures": Range(0, 100000, "nodes"),
    "k3s_registries_keep_generations": Range(1, 100, "earlier states"),
}
_STOPS = ("k3s_registries_stop_after",)
_FOLDERS = ("k3s_registries_metrics_dir",)
_SINCE = ("k3s_registries_diagnose_since", "k3s_registries_report_since")


def problems(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with the given variables, a sentence each with the variable's name and what it is."""
    found = [_out_of_range(name, given[name]) for name in _RANGES if name in given]
    found += [_no_time(name, given[name]) for name in _SINCE if name in given]
    found += [_no_end(name, given[name]) for name in _STOPS if name in given]
    found += [_no_folder(name, given[name]) for name in _FOLDERS if name in given]
    return [sentence for sentence in found if sentence]


def _out_of_range(name: str, value: Any) -> str:
    least, most, unit = _RANGES[name]
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    # A NaN is in no range.
    if least <= number <= most:
        return ""
    return "%s is %s: it must be from %g to %d %s" % (name, value, least, most, unit)


def _no_time(name: str, value: Any) -> str:
    try:
        parse_since(str(value or ""), time.time())
    except (ValueError, OverflowError) as error:
        return "%s: %s" % (name, error)
    return ""


def _no_end(name: str, value: Any) -> str:
    try:
        stop_after.parse("" if value is None else str(value))
    except stop_after.StopProblem as problem:
        return "%s: %s" % (name, problem)
    return ""


def _no_folder(name: str, value: Any) -> str:
    path = "" if value is None else str(value)
    if not path or (path.startswith("/") and not set("\0\n") & set(path)):
        return ""
    return "%s is %s: it must be a folder on the nodes, as an absolute path, or empty" % (name, value)
