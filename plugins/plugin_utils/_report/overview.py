# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet at a glance: one sentence, one square per node, one bar per registry."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.levels import worst
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.nodes import CONDITIONS

from . import words
from .nodes import NOT_CONFIGURED, NOT_KNOWN, Node


class Part(NamedTuple):
    """A count of nodes with its words; ``at`` and ``width`` are its place in a bar, in percent."""

    key: str
    level: str
    number: int
    text: str
    at: float
    width: float


class Share(NamedTuple):
    """How many of the nodes that are configured for a registry can use it."""

    registry: str
    level: str
    summary: str
    parts: list[Part]


class Block(NamedTuple):
    """The squares of one group of nodes."""

    title: str
    nodes: list[Node]


def headline(rows: list[Node]) -> str:
    """The report in one line."""
    troubled = sum(row.troubled for row in rows)
    if not rows:
        return "There are no nodes in this report"
    if not troubled:
        return {1: "The node is well", 2: "Both nodes are well"}.get(len(rows), f"All {len(rows)} nodes are well")
    if troubled == len(rows):
        return {1: "The node needs", 2: "Both nodes need"}.get(troubled, f"All {troubled} nodes need") + " attention"
    need = "needs" if troubled == 1 else "need"
    return f"{troubled} of {words.count(len(rows), 'node')} {need} attention"


def legend(rows: list[Node]) -> list[Part]:
    """How many nodes are in which condition, in the order of their severity."""
    numbers = Counter(row.condition for row in rows)
    return [
        Part(key, level, numbers[key], words.CONDITIONS[key], 0.0, 0.0)
        for key, level in CONDITIONS.items()
        if numbers[key]
    ]


def waffle(rows: list[Node]) -> list[Block]:
    """The nodes by group, those in trouble first."""
    titles = {"server": "Servers", "agent": "Agents"}
    blocks = [Block(title, [row for row in rows if row.group == group]) for group, title in titles.items()]
    blocks.append(Block("Nodes", [row for row in rows if row.group not in titles]))
    return [block for block in blocks if block.nodes]


def share(registry: str, rows: list[Node]) -> Share:
    """How well the fleet can use a registry. Nodes that are not configured for it do not count."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        cell = row.cells.get(registry, NOT_KNOWN if row.level == "unknown" else NOT_CONFIGURED)
        if cell.level != "none":
            counts[(cell.level, cell.word)] += 1
    total = sum(counts.values())
    parts: list[Part] = []
    at = 0.0
    order = {level: index for index, level in enumerate(("ok", "warning", "error", "unknown"))}
    for (level, word), number in sorted(counts.items(), key=lambda item: (order.get(item[0][0], 9), -item[1])):
        width = 100 * number / total
        parts.append(Part(level, level, number, word, round(at, 3), round(width, 3)))
        at += width
    bad = [part for part in parts if part.level != "ok"]
    summary = ", ".join(f"{part.number} {part.text}" for part in bad) or f"ok on {words.count(total, 'node')}"
    return Share(registry, worst([part.level for part in parts]), summary, parts)
