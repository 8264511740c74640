# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pulls that fail, by cause: most nodes first, each with its fix."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from . import words
from .document import natural


@dataclass
class FailingPulls:
    """Pulls with one cause at one endpoint. ``images`` to the nodes that cannot pull them; ``evidence``: the lines of
    one node's log that show it."""

    cause: str
    label: str
    endpoint: str
    message: str
    fixes: list[str] = field(default_factory=list)
    images: dict[str, list[str]] = field(default_factory=dict)
    evidence: list[str] = field(default_factory=list)
    evidence_node: str = ""

    @property
    def nodes(self) -> list[str]:
        return sorted({name for names in self.images.values() for name in names}, key=natural)

    @property
    def by_image(self) -> list[tuple[str, list[str]]]:
        """Images, those of most nodes first."""
        return sorted(self.images.items(), key=lambda pair: (-len(pair[1]), pair[0]))


def failing_pulls(document: Mapping[str, Any]) -> list[FailingPulls]:
    """The failing pulls of a document, grouped by cause and endpoint."""
    groups: dict[tuple[str, str], FailingPulls] = {}
    for name, host in document["hosts"].items():
        for pull in host["pulls"]:
            cause = str(pull.get("cause") or "unknown")
            endpoint = str(pull.get("endpoint") or "")
            group = groups.get((cause, endpoint))
            if group is None:
                message = str(pull.get("message") or "")
                group = groups[(cause, endpoint)] = FailingPulls(cause, words.cause(cause), endpoint, message)
            fix = str(pull.get("fix") or "")
            if fix and fix not in group.fixes:
                group.fixes.append(fix)
            nodes = group.images.setdefault(str(pull.get("image") or "unknown image"), [])
            if name not in nodes:
                nodes.append(name)
            if not group.evidence and pull.get("evidence"):
                group.evidence = [str(line) for line in pull["evidence"]]
                group.evidence_node = name
    return sorted(groups.values(), key=lambda group: (-len(group.nodes), group.cause, group.endpoint))
