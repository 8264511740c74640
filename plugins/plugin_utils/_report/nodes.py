# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each node stands: its condition, why, and what each of its registries answers."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import words

EXPIRY_WARNING_DAYS = 30


class Cell(NamedTuple):
    """What one registry is to one node: ``level`` none where the node is not configured for it."""

    level: str
    word: str
    detail: str


class Node(NamedTuple):
    """A row of the matrix. ``reasons``: what is not well, in short, beside the condition's own label. ``days_left``: of
    the certificate that expires first, None without one."""

    name: str
    group: str
    condition: str
    level: str
    reasons: list[str]
    release: str
    cells: dict[str, Cell]
    days_left: int | None

    @property
    def label(self) -> str:
        return words.CONDITIONS[self.condition].label

    @property
    def troubled(self) -> bool:
        return self.level in ("error", "warning", "unknown")


NOT_CONFIGURED = Cell("none", "not configured", "")
NOT_PROBED = Cell("none", "not probed", "")
NOT_KNOWN = Cell("unknown", "not known", "")


def nodes(document: Mapping[str, Any]) -> list[Node]:
    """The nodes of a document, those in trouble first, and then servers before agents."""
    order = list(words.CONDITIONS)
    found = [node(name, host) for name, host in document["hosts"].items()]
    # Python's sort is stable: within a condition the document's order, which is the natural one, stays.
    return sorted(found, key=lambda item: (order.index(item.condition), item.group != "server"))


def registries(document: Mapping[str, Any]) -> list[str]:
    """The registries of the whole fleet, most common first."""
    counts: dict[str, int] = {}
    for host in document["hosts"].values():
        for name in {str(entry.get("registry") or "") for entry in host["endpoints"]} - {""}:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))


def node(name: str, host: Mapping[str, Any]) -> Node:
    """How a host of the document stands."""
    info: Mapping[str, Any] = host["info"] or {}
    cells = {registry: cell(host, registry) for registry in {entry.get("registry") for entry in host["endpoints"]}}
    days_left = soonest(info)
    reasons = _reasons(host, info, cells, days_left)
    condition = _condition(host, info, cells, reasons)
    return Node(
        name=name,
        group=str(host["group"]),
        condition=condition,
        level=words.CONDITIONS[condition].level,
        reasons=[text for _level, text in reasons if text != words.CONDITIONS[condition].label],
        release=str(info.get("release") or ""),
        cells={str(registry): found for registry, found in cells.items()},
        days_left=days_left,
    )


def cell(host: Mapping[str, Any], registry: str) -> Cell:
    """What a registry is to a node: the worst of the images that were asked for, the registry itself being one."""
    by_image: dict[str, list[Mapping[str, Any]]] = {}
    for entry in host["endpoints"]:
        if entry.get("registry") == registry:
            by_image.setdefault(str(entry.get("image") or ""), []).append(entry)
    if not by_image:
        if host["unreachable"] or host["info"] is None:
            return NOT_KNOWN
        return NOT_CONFIGURED if host["endpoints"] else NOT_PROBED
    return min((_attempts(entries) for entries in by_image.values()), key=lambda item: words.LEVELS.index(item.level))


def _attempts(entries: list[Mapping[str, Any]]) -> Cell:
    """containerd asks in order and takes the first that answers. The registry itself as a fallback that cannot be
    reached is normal behind an air gap, as long as every mirror works."""
    failed = [entry for entry in entries if entry.get("cause") != "ok"]
    if not failed:
        return Cell("ok", "ok", "")
    first = failed[0]
    detail = f"{first.get('endpoint') or first.get('url') or ''}: {first.get('message') or ''}".strip(": ")
    if len(failed) == len(entries):
        return Cell("error", words.cause(str(first.get("cause") or "")), detail)
    mirrors = [entry for entry in failed if entry.get("kind") != "default"]
    if not mirrors:
        return Cell("ok", "ok", f"no fallback: {detail}")
    first = mirrors[0]
    return Cell("warning", f"partly: {words.cause(str(first.get('cause') or ''))}", detail)


def soonest(info: Mapping[str, Any]) -> int | None:
    """Days left of the certificate on the node that expires first."""
    left = [entry["days_left"] for entry in info.get("certificates") or [] if isinstance(entry.get("days_left"), int)]
    return min(left) if left else None


def certificate_level(entry: Mapping[str, Any]) -> str:
    """``error`` for one that is expired, unusable or whose key does not match, ``warning`` for the last month."""
    left = entry.get("days_left")
    if entry.get("error") or entry.get("key_matches") is False or (isinstance(left, int) and left < 0):
        return "error"
    return "warning" if isinstance(left, int) and left <= EXPIRY_WARNING_DAYS else "ok"


def _reasons(
    host: Mapping[str, Any], info: Mapping[str, Any], cells: Mapping[Any, Cell], days_left: int | None
) -> list[tuple[str, str]]:
    if host["unreachable"]:
        return [("unknown", words.CONDITIONS["unreachable"].label)]
    found = [("unknown", f"{error.get('module')} failed") for error in host.get("errors") or []]
    for level, one, many in (("error", "fails", "fail"), ("warning", "works partly", "work partly")):
        names = [str(registry) for registry, item in cells.items() if item.level == level]
        if names:
            found.append((level, f"{names[0]} {one}" if len(names) == 1 else f"{len(names)} registries {many}"))
    if host["pulls"]:
        found.append(("error", words.count(len(host["pulls"]), "failing pull")))
    state = words.STATES.get(str(info.get("state") or ""))
    if state:
        found.append((state.level, state.short))
    found += _certificates(info, days_left)
    for level in ("error", "warning"):
        codes = {str(item.get("code")) for item in info.get("problems") or [] if item.get("level") == level}
        codes -= {*words.OF_CERTIFICATES, str(info.get("state"))}
        found += [(level, text) for text in sorted(words.reason(code) for code in codes)]
    return found


def _certificates(info: Mapping[str, Any], days_left: int | None) -> list[tuple[str, str]]:
    levels = [certificate_level(entry) for entry in info.get("certificates") or []]
    level = words.worst(levels)
    if level == "ok":
        return []
    if days_left is None or days_left > EXPIRY_WARNING_DAYS:
        return [(level, "certificate unusable")]
    return [(level, f"certificate {words.days(days_left)}")]


def _condition(
    host: Mapping[str, Any], info: Mapping[str, Any], cells: Mapping[Any, Cell], reasons: list[tuple[str, str]]
) -> str:
    levels = {level for level, _text in reasons}
    state = str(info.get("state") or "")
    if host["unreachable"]:
        return "unreachable"
    if host["pulls"] or any(item.level == "error" for item in cells.values()):
        return "failing"
    if "error" in levels:
        return "error"
    if state in ("drifted", "pending", "foreign"):
        return state
    if "warning" in levels:
        return "warning"
    if not info or "unknown" in levels:
        return "unknown"
    return "idle" if state in ("stopped", "not_set_up", "not_installed") else "ok"
