# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Would it still pull: the images of the rehearsed nodes by the endpoints that they come from, the lost ones first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.vocabulary import LOST, WORDS
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.levels import LEVELS, worst
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.rehearsal import level

from . import words

MOST_ROWS = 300


class Cell(NamedTuple):
    """What an endpoint is to an image, in a word or two."""

    level: str
    word: str


_STAYS, _MOVES, _LEFT = Cell("ok", "as before"), Cell("ok", "from here"), Cell("info", "no longer")


@dataclass
class Row:
    """An image. ``verdicts`` to the nodes that found it, ``cells`` by endpoint."""

    image: str
    verdicts: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    cells: dict[str, Cell] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)

    @property
    def level(self) -> str:
        return worst(found for found, _word in self.verdicts)

    @property
    def nodes(self) -> list[str]:
        return list(dict.fromkeys(name for names in self.verdicts.values() for name in names))

    @property
    def results(self) -> list[tuple[str, str, list[str]]]:
        """Level, words and nodes, the worst first."""
        found = sorted(self.verdicts.items(), key=lambda item: LEVELS.index(item[0][0]))
        return [(rank, word, names) for (rank, word), names in found]


class Rehearsal(NamedTuple):
    """``lost`` is the number of images that stop a run, ``rows`` are as many images as one reads, ``left_out`` how many
    there are beyond; ``others`` are nodes that have not rehearsed, by the reason."""

    headline: str
    level: str
    lost: int
    endpoints: list[str]
    rows: list[Row]
    left_out: int
    others: dict[str, list[str]]


def rehearsal(document: Mapping[str, Any]) -> Rehearsal | None:
    """None if the report has rehearsed nothing."""
    found = {name: host["rehearsal"] for name, host in document["hosts"].items() if host.get("rehearsal")}
    if not found:
        return None
    rows: dict[str, Row] = {}
    others: dict[str, list[str]] = {}
    for node, said in found.items():
        if said.get("problem"):
            others.setdefault(str(said["problem"]), []).append(node)
        for image in said.get("images") or ():
            name = str(image.get("image") or "unknown image")
            _enter(rows.setdefault(name, Row(name)), node, image)
    ordered = sorted(rows.values(), key=lambda row: (LEVELS.index(row.level), row.image))
    shown = ordered[:MOST_ROWS]
    endpoints = list(dict.fromkeys(endpoint for row in shown for endpoint in row.cells))
    return Rehearsal(
        _headline(ordered, len(found) - sum(map(len, others.values()))),
        worst(row.level for row in ordered),
        sum(row.level == "error" for row in ordered),
        endpoints, shown, len(ordered) - len(shown), others,
    )  # fmt: skip


def _headline(rows: Iterable[Row], nodes: int) -> str:
    counts: dict[str, int] = {}
    total = 0
    for row in rows:
        total += 1
        _level, word, _names = row.results[0]
        counts[word] = counts.get(word, 0) + 1
    said = ", ".join("%d %s" % (number, word) for word, number in counts.items())
    return "%s on %s: %s" % (words.count(total, "image"), words.count(nodes, "node"), said or "nothing was asked")


def _enter(row: Row, node: str, image: Mapping[str, Any]) -> None:
    verdict, allowed = str(image.get("verdict") or ""), bool(image.get("allowed"))
    word = WORDS.get(verdict, verdict or "unknown") + (", as allowed" if verdict == LOST and allowed else "")
    row.verdicts.setdefault((level(verdict, allowed), word), []).append(node)
    before, after = _endpoint(image.get("before")), _endpoint(image.get("after"))
    if after:
        _better_known(row, after, _STAYS if before == after else _MOVES)
    if before and before != after:
        _better_known(row, before, _LEFT)
    blamed = _endpoint(image.get("endpoint"))
    if blamed and not after:
        _better_known(row, blamed, Cell(level(verdict, allowed), words.cause(str(image.get("cause") or "unknown"))))
        text = " ".join(str(image[key]) for key in ("message", "fix") if image.get(key))
        row.messages.setdefault(text, node)


def _better_known(row: Row, endpoint: str, cell: Cell) -> None:
    """Enter the worst that any node has found."""
    known = row.cells.get(endpoint)
    if known is None or LEVELS.index(cell.level) < LEVELS.index(known.level):
        row.cells[endpoint] = cell


def _endpoint(url: Any) -> str:
    """Scheme, host and port: an image's URL and an endpoint's name have them in common."""
    try:
        parts = urlsplit(str(url or ""))
    except ValueError:
        return str(url)
    return "%s://%s" % (parts.scheme, parts.netloc) if parts.netloc else str(url or "")
