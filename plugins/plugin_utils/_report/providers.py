# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's credential providers: which nodes have which, and how it answers them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from . import words
from .document import natural


@dataclass
class Provider:
    """Nodes to which a provider answers alike. ``slowest``: seconds that it took on one of them."""

    name: str
    answer: str
    slowest: float = 0.0
    nodes: list[str] = field(default_factory=list)


def providers(document: Mapping[str, Any]) -> list[Provider]:
    """The providers of a document, by name; of one that answers differently, what most nodes get first."""
    found: dict[tuple[str, str], Provider] = {}
    for name in sorted(document["hosts"], key=natural):
        host = document["hosts"][name]
        asked = {str(entry.get("name") or ""): entry for entry in host.get("providers") or [] if entry.get("name")}
        known = ((host["info"] or {}).get("providers") or {}).get("names") or []
        for provider in dict.fromkeys([*known, *asked]):
            entry = asked.get(provider, {"cause": "provider_unknown"})
            key = (str(provider), words.cause(str(entry.get("cause") or "unknown")))
            row = found.setdefault(key, Provider(*key))
            row.slowest = max(row.slowest, float(entry.get("seconds") or 0))
            row.nodes.append(name)
    return sorted(found.values(), key=lambda row: (row.name, -len(row.nodes), row.answer))
