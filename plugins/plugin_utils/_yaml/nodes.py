# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first document of a text as a tree of nodes, built without recursion.

Like yaml.v2 and unlike PyYAML's composer, an alias stays a node of its own (a merge key must tell),
and a node may hold an alias of itself (only decoding it fails).
"""

# PyYAML's type stubs leave the methods of its scanner and parser untyped.
# mypy: disallow-untyped-calls=False
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    StreamEndEvent,
)

from .errors import DecodeError
from .scanner import YamlEvents

if TYPE_CHECKING:
    from collections.abc import Iterator

SCALAR, SEQUENCE, MAPPING, ALIAS = "scalar", "sequence", "mapping", "alias"


class Node:
    """A node of the tree.

    :ivar kind: one of :data:`SCALAR`, :data:`SEQUENCE`, :data:`MAPPING`, :data:`ALIAS`.
    :ivar line: where it starts, counted from 1, as is ``column``.
    :ivar end: line and column behind a scalar's last character, counted from 1.
    :ivar tag: a scalar's tag in full, "" without one; yaml.v2 ignores the tags of collections.
    :ivar value: a scalar's text.
    :ivar implicit: a scalar that is plain, so that its text decides its type.
    :ivar children: of a sequence its items; of a mapping key, value, key, value and so on.
    :ivar target: what an alias stands for.
    """

    __slots__ = ("children", "column", "end", "implicit", "kind", "line", "tag", "target", "value")

    def __init__(self, kind: str, line: int, column: int = 0) -> None:
        self.kind = kind
        self.line = line
        self.column = column
        self.end = (line, column)
        self.tag = ""
        self.value = ""
        self.implicit = False
        self.children: list[Node] = []
        self.target: Node | None = None


def compose(text: str) -> Node | None:
    """The root of the first document, None where there is none. What follows that document is not read.

    :param text: characters that :func:`read_characters` has checked.
    :raises DecodeError: if the text is no YAML to yaml.v2.
    """
    anchors: dict[str, Node] = {}
    root: Node | None = None
    open_nodes: list[Node] = []
    for event in _first_document(text):
        if isinstance(event, CollectionEndEvent):
            open_nodes.pop()
        elif isinstance(event, NodeEvent):
            node = _node(event, anchors)
            if open_nodes:
                open_nodes[-1].children.append(node)
            else:
                root = node
            if isinstance(event, CollectionStartEvent):
                open_nodes.append(node)
    return root


def _first_document(text: str) -> Iterator[object]:
    try:
        events = YamlEvents(text)
        event = events.get_event()
        while not isinstance(event, (DocumentEndEvent, StreamEndEvent)):
            yield event
            event = events.get_event()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else None
        column = mark.column + 1 if mark is not None else None
        problem = _in_the_words_of_yaml_v2(error.problem or "unknown problem parsing YAML content", error.context or "")
        raise DecodeError(f"line {line}: {problem}" if line else problem, line, column=column) from None


def _in_the_words_of_yaml_v2(problem: str, context: str) -> str:
    """PyYAML's problem without what it quotes from the text, which may be part of a password."""
    problem = re.sub(r",? but (?:found|got) .*", "", problem, flags=re.DOTALL)
    problem = re.sub(r"^(found character|duplicate tag handle|found undefined tag handle) (['\"]).*\2", r"\1", problem)
    problem = problem.replace("not allowed here", "not allowed in this context")
    if problem.startswith("expected "):
        wanted = "'-' indicator" if "collection" in context else "key"
        problem = "did not find " + problem.replace("<block end>", wanted)
    return problem


def _node(event: NodeEvent, anchors: dict[str, Node]) -> Node:
    start, end = event.start_mark, event.end_mark
    line, column = (start.line + 1, start.column + 1) if start is not None else (0, 0)
    if isinstance(event, AliasEvent):
        node = Node(ALIAS, line, column)
        node.target = anchors.get(event.anchor or "")
        if node.target is None:
            problem = "unknown anchor referenced (a value that starts with * needs quotes)"
            raise DecodeError(f"line {line}: {problem}", line, column=column)
        return node
    if isinstance(event, ScalarEvent):
        node = Node(SCALAR, line, column)
        node.tag = event.tag or ""
        node.value = event.value
        node.implicit = event.implicit[0]
    else:
        node = Node(MAPPING if isinstance(event, MappingStartEvent) else SEQUENCE, line, column)
    if end is not None:
        node.end = (end.line + 1, end.column + 1)
    if event.anchor is not None:
        anchors[event.anchor] = node
    return node
