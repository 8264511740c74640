# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people really write into registries.yaml: shapes from public repositories and issues, written anew, each with an
expert's verdict, the reason for it and the source of its class."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, NamedTuple

import yaml
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import NodeFacts
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.text import lint_text

DIRECTORY = Path(__file__).parent / "entries"
RIGHT, QUESTIONABLE, WRONG = "right", "questionable", "wrong"


class Entry(NamedTuple):
    """One file and what is to be said about it.

    :ivar source: where its class was found.
    :ivar why: the reason for the verdict.
    :ivar expected: the codes of all findings that it has to have; others are false.
    :ivar recommended: a product's own guide says to write it so.
    :ivar nodes: what is known of the nodes, by the names of NodeFacts.
    """

    name: str
    source: str
    why: str
    expected: tuple[str, ...]
    recommended: bool
    nodes: dict[str, Any]
    text: str

    def findings(self) -> list[dict[str, Any]]:
        """What lint says."""
        return lint_text(self.text, NodeFacts(**self.nodes))


def entries() -> Iterator[Entry]:
    """Every entry, file by file."""
    for file in sorted(DIRECTORY.glob("*.yml")):
        for raw in yaml.safe_load(file.read_text(encoding="utf-8")):
            yield Entry(
                name=raw["name"],
                source=raw["source"],
                why=raw["why"],
                expected=tuple(raw["findings"]),
                recommended=raw.get("recommended", False),
                nodes=raw.get("with", {}),
                text=raw["text"],
            )


def verdict(levels: set[str]) -> str:
    """The verdict in a word, from the levels of the findings."""
    if "error" in levels:
        return WRONG
    return QUESTIONABLE if levels else RIGHT
