# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates by days left: those on the nodes, and those that registries showed them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import certificates as assess
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.levels import LEVELS

from . import words

KINDS = {"ca": "CA", "client": "client", "server": "server"}


@dataclass
class Certificate:
    """One certificate and the nodes that have or have seen it. ``where``: its registry or endpoint."""

    kind: str
    where: str
    subject: str
    issuer: str
    not_after: str
    days_left: int | None
    level: str
    problem: str
    path: str
    nodes: list[str] = field(default_factory=list)

    @property
    def kind_label(self) -> str:
        return KINDS.get(self.kind, self.kind)

    @property
    def left(self) -> str:
        if self.days_left is None:
            return "unreadable" if self.problem else "not known"
        return words.days(self.days_left)

    @property
    def position(self) -> float:
        """Where it ends on the timeline, in percent."""
        return 0.0 if self.days_left is None else position(self.days_left)


class Tick(NamedTuple):
    """A mark of the timeline's axis, ``at`` in percent."""

    at: float
    label: str


_LONGEST = 3650


def position(days: int) -> float:
    """A day's place on the timeline in percent. The scale is logarithmic, so that the next weeks, which matter, have
    room next to an authority's ten years."""
    inside = min(max(days, 0), _LONGEST)
    return round(100 * math.log1p(inside / 7) / math.log1p(_LONGEST / 7), 2)


TICKS = [
    Tick(position(day), label)
    for day, label in ((0, "today"), (7, "1 w"), (30, "30 d"), (90, "90 d"), (365, "1 y"), (1825, "5 y"))
]


def certificates(document: Mapping[str, Any]) -> list[Certificate]:
    """Every certificate of a document once: those that cannot be used, then the others by their end."""
    found: dict[tuple[str, ...], Certificate] = {}
    for name, host in document["hosts"].items():
        for key, certificate in [*_on_node(host["info"] or {}), *_of_servers(host["endpoints"])]:
            known = found.setdefault(key, certificate)
            if name not in known.nodes:
                known.nodes.append(name)
            if LEVELS.index(certificate.level) < LEVELS.index(known.level):
                known.level, known.problem = certificate.level, certificate.problem
    return sorted(found.values(), key=_order)


def _order(certificate: Certificate) -> tuple[bool, float, str, str]:
    left = certificate.days_left
    return (not certificate.problem, -math.inf if left is None else left, certificate.where, certificate.kind)


def _on_node(info: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Certificate]]:
    for entry in info.get("certificates") or []:
        kind, where = str(entry.get("kind") or ""), str(entry.get("registry") or "")
        identity = str(entry.get("fingerprint_sha256") or entry.get("path") or "")
        problem = str(entry.get("error") or "")
        if not problem and entry.get("key_matches") is False:
            problem = "its key belongs to another certificate"
        yield (
            (kind, where, identity, problem),
            Certificate(
                kind, where, str(entry.get("subject") or ""), str(entry.get("issuer") or ""),
                str(entry.get("not_after") or ""), assess.days_left(entry), assess.level(entry), problem,
                str(entry.get("path") or ""),
            ),
        )  # fmt: skip


def _of_servers(endpoints: list[Mapping[str, Any]]) -> Iterator[tuple[tuple[str, ...], Certificate]]:
    for entry in endpoints:
        shown = entry.get("certificate")
        if not isinstance(shown, Mapping):
            continue
        where = str(entry.get("endpoint") or entry.get("url") or "")
        subject, not_after = str(shown.get("subject") or ""), str(shown.get("not_after") or "")
        yield (
            ("server", where, subject, not_after),
            Certificate(
                "server", where, subject, str(shown.get("issuer") or ""), not_after, assess.days_left(shown),
                assess.level(shown), "", "",
            ),
        )  # fmt: skip
