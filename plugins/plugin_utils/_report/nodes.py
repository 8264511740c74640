# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the matrix: a node's condition, why, and what each of its registries answers, in words."""

from __future__ import annotations

from collections import Counter
from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import expiry
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import nodes as assess
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.registries import Registry

from . import words


class Cell(NamedTuple):
    """What one registry is to one node: ``level`` is ``none`` if the node is not configured for it."""

    level: str
    word: str
    detail: str


class Node(NamedTuple):
    """A row of the matrix. ``reasons``: in short, what is wrong in addition to the condition's label. ``expiry``: the
    level of the certificate that expires first."""

    name: str
    group: str
    condition: str
    level: str
    label: str
    reasons: list[str]
    release: str
    cells: dict[str, Cell]
    days_left: int | None
    expiry: str
    troubled: bool


NOT_CONFIGURED = Cell("none", "not configured", "")
NOT_PROBED = Cell("none", "not probed", "")
NOT_KNOWN = Cell("unknown", "not known", "")


def nodes(document: Mapping[str, Any]) -> list[Node]:
    """The nodes of a document, those in trouble first, and then servers before agents."""
    order = list(assess.CONDITIONS)
    found = [node(name, host) for name, host in document["hosts"].items()]
    # Python's sort is stable: within a condition the document's natural order stays.
    return sorted(found, key=lambda item: (order.index(item.condition), item.group != "server"))


def registries(document: Mapping[str, Any]) -> list[str]:
    """The registries of the whole fleet, most common first."""
    counts: Counter[str] = Counter()
    for host in document["hosts"].values():
        counts.update({str(entry.get("registry") or "") for entry in host["endpoints"]} - {""})
    return sorted(counts, key=lambda name: (-counts[name], name))


def node(name: str, host: Mapping[str, Any]) -> Node:
    """How a host of the document stands."""
    info: Mapping[str, Any] = host["info"] or {}
    found = assess.assess(host)
    told = [text for reason in found.reasons for text in _told(reason, found.days_left)]
    label = words.CONDITIONS[found.condition]
    return Node(
        name=name,
        group=str(host["group"]),
        condition=found.condition,
        level=found.level,
        label=label,
        reasons=[text for text in told if text != label],
        release=str(info.get("release") or ""),
        cells={registry: _cell(result) for registry, result in found.registries.items()},
        days_left=found.days_left,
        expiry=expiry.level(found.days_left),
        troubled=found.troubled,
    )


def _cell(registry: Registry) -> Cell:
    failed = registry.failed
    if failed is None:
        return Cell("ok", "ok", "")
    detail = f"{failed.get('endpoint') or failed.get('url') or ''}: {failed.get('message') or ''}".strip(": ")
    if registry.level == "ok":
        return Cell("ok", "ok", f"no fallback: {detail}")
    word = words.cause(str(failed.get("cause") or ""))
    return Cell(registry.level, word if registry.level == "error" else f"partly: {word}", detail)


def _told(reason: assess.Reason, days_left: int | None) -> list[str]:
    """A reason in the few words of a row."""
    if reason.kind == "registries":
        one, many = ("fails", "fail") if reason.level == "error" else ("works partly", "work partly")
        return [f"{reason.about[0]} {one}" if len(reason.about) == 1 else f"{len(reason.about)} registries {many}"]
    if reason.kind == "certificates":
        ends = days_left is not None and expiry.level(days_left) != "ok"
        return [f"certificate {words.days(days_left or 0)}" if ends else "certificate unusable"]
    if reason.kind == "providers":
        return [words.cause(code) for code in reason.about]
    if reason.kind == "problems":
        return sorted(words.reason(code) for code in reason.about)
    if reason.kind == "module":
        return [f"{name} failed" for name in reason.about]
    if reason.kind == "pulls":
        return [words.count(len(reason.about), "failing pull")]
    return [words.STATES[reason.about[0]].short if reason.about else words.CONDITIONS["unreachable"]]
