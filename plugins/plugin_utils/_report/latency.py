# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast each endpoint answers each node: a strip of dots per endpoint on a logarithmic scale of milliseconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import registries

from . import words
from .certificates import Tick

PHASES = ("dns", "tcp", "tls", "http")
WIDTH = 1000
HEIGHT = 44
_COLUMN = 6
_SPACING = 5.0


@dataclass
class Endpoint:
    """What the nodes measured at one endpoint. ``times``: node to milliseconds, of those that got an answer by HTTP;
    ``silent``: nodes that got none. A request for an image takes longer and counts only if the endpoint itself
    was not asked. ``needed``: its silence is a fault; behind an air gap the registry itself is silent, and no pull
    needs it as long as its mirrors work."""

    name: str
    registries: list[str] = field(default_factory=list)
    times: dict[str, float] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    needed: bool = False
    phases: dict[str, list[float]] = field(default_factory=lambda: {phase: [] for phase in PHASES})

    @property
    def median(self) -> float:
        return quantile(list(self.times.values()), 0.5)

    @property
    def p95(self) -> float:
        return quantile(list(self.times.values()), 0.95)

    @property
    def slowest(self) -> str:
        return max(self.times, key=lambda name: self.times[name]) if self.times else ""

    def phase(self, name: str) -> str:
        """The median of a phase in words, a dash if no node got there."""
        values = self.phases[name]
        return words.milliseconds(quantile(values, 0.5)) if values else "\u2013"


class Scale(NamedTuple):
    """The axis: whole decades of milliseconds."""

    low: int
    high: int

    def at(self, value: float) -> float:
        """The place of a duration, in percent."""
        inside = min(max(math.log10(max(value, 1e-6)), self.low), self.high)
        return round(100 * (inside - self.low) / (self.high - self.low), 2)

    def ticks(self) -> list[Tick]:
        return [
            Tick(self.at(10.0**power), words.milliseconds(10.0**power).replace(".0", ""))
            for power in range(self.low, self.high + 1)
        ]


def quantile(values: list[float], share: float) -> float:
    """The nearest-rank quantile, 0 of nothing."""
    if not values:
        return 0.0
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def endpoints(document: Mapping[str, Any]) -> list[Endpoint]:
    """The endpoints of a document, the slowest by its median first; those without any answer at the end."""
    found: dict[str, Endpoint] = {}
    for node, host in document["hosts"].items():
        found_there = registries.assess(host["endpoints"])
        asked = {entry.get("endpoint") or entry.get("url") for entry in host["endpoints"] if not entry.get("image")}
        for entry in host["endpoints"]:
            if entry.get("image") and (entry.get("endpoint") or entry.get("url")) in asked:
                continue
            name = str(entry.get("endpoint") or entry.get("url") or "")
            if not name:
                continue
            endpoint = found.setdefault(name, Endpoint(name))
            registry = str(entry.get("registry") or "")
            if registry and registry not in endpoint.registries:
                endpoint.registries.append(registry)
            _measure(endpoint, node, entry)
            if found_there[registry].level != "ok":
                endpoint.needed = endpoint.needed or node in endpoint.silent
    for endpoint in found.values():
        endpoint.silent -= set(endpoint.times)
    return sorted(found.values(), key=lambda endpoint: (not endpoint.times, -endpoint.median, endpoint.name))


def _measure(endpoint: Endpoint, node: str, entry: Mapping[str, Any]) -> None:
    if entry.get("cause") != "ok":
        endpoint.failing.add(node)
    times: Mapping[str, Any] = entry.get("times") or {}
    phases = {phase: float(times[phase]) for phase in PHASES if isinstance(times.get(phase), (int, float))}
    if entry.get("status") is None or not phases:
        endpoint.silent.add(node)
        return
    # Not `total`, which includes the node's work, such as loading its certificates.
    endpoint.times[node] = max(sum(phases.values()), endpoint.times.get(node, 0.0))
    for phase, value in phases.items():
        endpoint.phases[phase].append(value)


def scale(found: list[Endpoint]) -> Scale:
    """An axis that holds every time measured, of at least two decades."""
    values = [value for endpoint in found for value in endpoint.times.values() if value > 0]
    if not values:
        return Scale(0, 3)
    low = math.floor(math.log10(min(values)))
    high = math.ceil(math.log10(max(values)))
    return Scale(low, max(high, low + 2))


def dots(endpoint: Endpoint, axis: Scale, failing: bool) -> str:
    """The dots of a strip as one SVG path, so that five hundred nodes cost one element: a zero-length line with round
    ends is a dot that stays round however the strip is stretched. Dots that would cover each other are stacked around
    the middle, so that the height of a stack shows how many there are."""
    columns: dict[int, list[float]] = {}
    for node, value in sorted(endpoint.times.items(), key=lambda pair: pair[1]):
        if (node in endpoint.failing) == failing:
            place = axis.at(value) * WIDTH / 100
            columns.setdefault(round(place / _COLUMN), []).append(place)
    parts = []
    fullest = max((len(places) for places in columns.values()), default=1)
    spacing = min(_SPACING, (HEIGHT - 6) / fullest)
    for column, places in columns.items():
        for number, place in enumerate(places):
            # 0, 1, -1, 2, -2 ...: from the middle outwards.
            offset = (number + 1) // 2 * (1 if number % 2 else -1)
            across = place if len(places) == 1 else min(column * _COLUMN, WIDTH)
            parts.append(f"M{across:.1f} {HEIGHT / 2 + offset * spacing:.1f}h0")
    return "".join(parts)
