# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The level of a fleet, and how many of its nodes somebody has to look after."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import nodes
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.levels import TROUBLE, worst


class Fleet(NamedTuple):
    """``attention``: how many of the ``nodes`` need some."""

    level: str
    nodes: int
    attention: int


def assess(conditions: Iterable[str]) -> Fleet:
    """The fleet whose nodes are in these conditions."""
    levels = [nodes.CONDITIONS[condition] for condition in conditions]
    return Fleet(worst(levels), len(levels), sum(level in TROUBLE for level in levels))


def failed(verdicts: Iterable[Mapping[str, Any]]) -> list[str]:
    """The nodes that do not pass a verification: with one of them, it fails."""
    return [str(item["host"]) for item in verdicts if not item["ok"]]


def idle(verdicts: Iterable[Mapping[str, Any]]) -> list[str]:
    """The nodes that pass because no K3s runs there, so that nothing was asked."""
    return [str(item["host"]) for item in verdicts if item["state"] in nodes.IDLE]
