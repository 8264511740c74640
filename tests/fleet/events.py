# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When each node's K3s stopped, started and was ready, from the nodes' own journals; and whether two were away at once.

A power cut leaves no word in a journal: those moments are the fleet's own record.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Any

from tests.fleet import nodes
from tests.fleet.certificates import write_private
from tests.fleet.state import Fleet, Node

# systemd's own messages about a unit, and K3s' last line of a start (both of a server and of an agent).
_KINDS = (
    ("starting", re.compile(r"^Starting ")),
    ("started", re.compile(r"^Started ")),
    ("stopping", re.compile(r"^Stopping ")),
    ("stopped", re.compile(r"^Stopped ")),
    ("exited", re.compile(r"Main process exited")),
    ("containerd", re.compile(r"\bcontainerd is now running\b")),
    ("ready", re.compile(r"\b(k3s|rke2)( agent)? is up and running\b")),
)
_GREP = r"^(Starting|Started|Stopping|Stopped) |Main process exited|is up and running|is now running"
_AWAY = ("stopping", "exited", "power-off")


@dataclass(frozen=True)
class Event:
    at: float
    what: str


@dataclass(frozen=True)
class Absence:
    """From the moment a node's K3s was told to stop, or died, until it said that it was up and that containerd ran (an
    agent says the first up to a second before the second). ``until`` None: not yet."""

    node: str
    role: str
    since: float
    until: float | None

    def overlaps(self, other: Absence) -> bool:
        ends = (self.until or float("inf"), other.until or float("inf"))
        return max(self.since, other.since) < min(ends)


def of_node(fleet: Fleet, node: Node) -> list[Event]:
    """The node's events in order of time; empty when the node is off."""
    service = fleet.service(node)
    command = [
        "journalctl",
        "--no-pager",
        "--quiet",
        "--output=json",
        "--output-fields=MESSAGE",
        "--grep",
        _GREP,
        "-u",
        service,
    ]
    outcome = nodes.execute(fleet, node.name, command, check=False)
    found = [event for event in map(parse, outcome.stdout.splitlines()) if event is not None]
    found += [Event(at, what) for at, name, what in _power_record(fleet) if name == node.name]
    return sorted(found, key=lambda event: event.at)


def parse(line: str) -> Event | None:
    """One line of `journalctl -o json`."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        message = bytes(message).decode("utf-8", "replace")
    for what, pattern in _KINDS:
        if pattern.search(message or ""):
            return Event(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, what)
    return None


def absences(node: Node, events: list[Event]) -> list[Absence]:
    """The node's absences. A first start is none: nothing was there before."""
    found: list[Absence] = []
    since: float | None = None
    missing: set[str] = set()
    for event in events:
        if event.what in _AWAY:
            since = event.at if since is None else since
            missing = {"ready", "containerd"}
        elif event.what in missing and since is not None:
            missing.discard(event.what)
            if not missing:
                found.append(Absence(node.name, node.role, since, event.at))
                since = None
    if since is not None:
        found.append(Absence(node.name, node.role, since, None))
    return found


def overlapping(found: list[Absence]) -> list[tuple[Absence, Absence]]:
    """Pairs of different nodes that were away at the same time."""
    pairs = []
    for position, one in enumerate(found):
        pairs += [(one, other) for other in found[position + 1 :] if one.node != other.node and one.overlaps(other)]
    return pairs


def report(fleet: Fleet, since: float = 0.0) -> dict[str, Any]:
    """Everything after the epoch time ``since``, ready for JSON."""
    result: dict[str, Any] = {"fleet": fleet.name, "since": since, "nodes": {}}
    everything: list[Absence] = []
    for node in fleet.nodes:
        events = of_node(fleet, node)
        away = [absence for absence in absences(node, events) if absence.since >= since]
        everything += away
        result["nodes"][node.name] = {
            "role": node.role,
            "service": fleet.service(node),
            "events": [{"at": event.at, "what": event.what} for event in events if event.at >= since],
            "absences": [
                {"since": a.since, "until": a.until, "seconds": round(a.until - a.since, 3) if a.until else None}
                for a in away
            ],
        }
    result["overlapping"] = [
        {"nodes": [a.node, b.node], "roles": [a.role, b.role], "since": max(a.since, b.since)}
        for a, b in overlapping(everything)
    ]
    return result


def _power_record(fleet: Fleet) -> list[tuple[float, str, str]]:
    path = fleet.folder / "power.json"
    if not path.exists():
        return []
    return [tuple(entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def record_power(fleet: Fleet, node: str, what: str) -> None:
    """``what``: `power-off` or `power-on`."""
    record = [*_power_record(fleet), (time.time(), node, what)]
    write_private(fleet.folder / "power.json", json.dumps(record).encode())
