# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a text the places are that findings name."""

from __future__ import annotations

from typing import Iterator, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.naming import path
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.nodes import (
    ALIAS,
    MAPPING,
    SCALAR,
    SEQUENCE,
    Node,
)

from .tree import shown_path

# A registries.yaml is four levels deep, and aliases can make billions of places out of a few lines.
_DEEPEST = 5
_MOST = 100_000


class Place(NamedTuple):
    """A line and a column, counted from 1."""

    line: int
    column: int


class Places:
    """The places of a document by the paths of findings; the work is done when the first one is asked for."""

    def __init__(self, root: Node | None) -> None:
        self._root = root
        self._places: dict[str, Place] | None = None

    def of(self, where: str) -> Place | None:
        """The key or list item that a path names; if the text has none, the nearest one above it; None without."""
        if self._places is None:
            self._places = {}
            if self._root is not None:
                for found, place in _walk(self._root, "", (), 0):
                    self._places.setdefault(found, place)
                    if len(self._places) >= _MOST:
                        break
        while where and where not in self._places:
            where = where[: max(where.rfind("."), where.rfind("["), 0)]
        return self._places.get(where)


def _walk(node: Node, above: str, names: tuple[str, ...], depth: int) -> Iterator[tuple[str, Place]]:
    """Paths with their places. `above` is the path of `node`, `names` the keys that it stands under."""
    node = _target(node)
    if depth > _DEEPEST:
        return
    if node.kind == SEQUENCE:
        for index, child in enumerate(node.children):
            yield f"{above}[{index}]", Place(_target(child).line, _target(child).column)
    elif node.kind == MAPPING:
        children = iter(node.children)
        merged = []
        for key_node, value in zip(children, children):
            key = _target(key_node)
            if key.kind != SCALAR:
                continue
            if key.value == "<<" and key.implicit:
                merged += value.children if value.kind == SEQUENCE else [value]
                continue
            filled = value.kind != SCALAR or bool(value.value)
            part = path(shown_path(names, key.value, filled)[-1])
            below = f"{above}.{part}" if above else part
            yield below, Place(key_node.line, key_node.column)
            if value.kind != SCALAR:
                yield from _walk(value, below, (*names, key.value), depth + 1)
        for source in merged:
            # What the mapping says itself comes first, so it stays.
            yield from _walk(source, above, names, depth + 1)


def _target(node: Node) -> Node:
    return node.target if node.kind == ALIAS and node.target is not None else node
