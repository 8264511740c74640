# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a registries.yaml as nested dicts and lists that keep each scalar's spelling and kind."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.naming import auth_key, path
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.schema import AUTH
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.shape import Scalar
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml import scalars
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import DecodeError
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.nodes import (
    ALIAS,
    MAPPING,
    SCALAR,
    SEQUENCE,
    Node,
)

# A registries.yaml is four levels deep; what lies deeper is never looked at.
_DEEPEST = 6
# Aliases can make billions of nodes out of a few lines. K3s' own decoder, which has a guard of its own, has its say.
_MOST_NODES = 200_000
_MOST_TEXT = 8 << 20


class Duplicate(NamedTuple):
    """A key that is given again: the later one, and the line of the first."""

    path: str
    line: int
    column: int
    first_line: int


class Tree:
    """`value` is what the text says, `duplicates` the keys given twice.

    :raises DecodeError: if aliases make it too large.
    """

    def __init__(self, root: Node | None) -> None:
        self.duplicates: list[Duplicate] = []
        self._nodes = 0
        self._text = 0
        self.value: Any = None if root is None else self._value(root, (), 0)

    def _value(self, node: Node, where: tuple[str, ...], depth: int) -> Any:
        self._count(len(node.value))
        if node.kind == ALIAS:
            if node.target is None:
                return None
            node = node.target
            self._count(len(node.value))
        if node.kind == SCALAR:
            return _scalar(node)
        if depth > _DEEPEST:
            return None
        if node.kind == SEQUENCE:
            return [self._value(child, where, depth + 1) for child in node.children]
        return self._mapping(node, where, depth)

    def _count(self, text: int = 0) -> None:
        self._nodes += 1
        self._text += text
        if self._nodes > _MOST_NODES or self._text > _MOST_TEXT:
            raise DecodeError("document contains excessive aliasing")

    def _mapping(self, node: Node, where: tuple[str, ...], depth: int) -> dict[Any, Any]:
        self._count()
        value: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        lines: dict[str, int] = {}
        children = iter(node.children)
        for key_node, value_node in zip(children, children):
            key = key_node.target if key_node.kind == ALIAS and key_node.target else key_node
            if key.kind != SCALAR:
                continue  # no key that K3s could use: its decoder says so
            if key.value == "<<" and key.implicit:
                merged.update(self._merged(value_node, where, depth))
                continue
            name = key.value
            item = self._value(value_node, (*where, name), depth + 1)
            if name in value:
                shown = path(*shown_path(where, name, item is not None))
                self.duplicates.append(Duplicate(shown, key_node.line, key_node.column, lines[name]))
                if depth == 0 and isinstance(item, dict) and isinstance(value[name], dict):
                    item = {**value[name], **item}  # yaml.v2 adds to a map that is there already
            value[name] = item
            lines.setdefault(name, key_node.line)
        return {**merged, **value}

    def _merged(self, node: Node, where: tuple[str, ...], depth: int) -> dict[Any, Any]:
        sources = reversed(node.children) if node.kind == SEQUENCE else [node]
        merged: dict[Any, Any] = {}
        for source in sources:
            target = source.target if source.kind == ALIAS and source.target else source
            if target.kind == MAPPING and depth <= _DEEPEST:
                merged.update(self._mapping(target, where, depth + 1))
        return merged


def _scalar(node: Node) -> Scalar | None:
    try:
        kind = scalars.type_of(node.tag, node.value, node.implicit)
    except scalars.ScalarError:
        return Scalar(node.value)  # refused by the decoder, which says why
    if kind == scalars.NULL:
        return None
    return Scalar.of(node.value, kind.rpartition(":")[2], kind == scalars.BOOL and scalars.truth(node.value))


def shown_path(where: tuple[str, ...], name: str, with_value: bool) -> tuple[str, ...]:
    """A path, as findings have it, whose last key may be a secret where a colon is missing under auth."""
    under_auth = len(where) > 2 and where[2] == "auth" and name not in AUTH
    return (*where, auth_key(name, AUTH, with_value) if under_auth else name)
