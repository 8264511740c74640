# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a registries.yaml, read once for all who look at it."""

from __future__ import annotations

import re

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import DecodeError
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.nodes import SCALAR, Node, compose
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.reader import read_characters

# The line breaks that the YAML scanner counts.
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_DOCUMENT_START = re.compile(r"^---(?:[ \t].*)?$")
_CONTENT = re.compile(r"(?![ \t]*(?:#|$)|\.\.\.|%)")


class Document:
    """`root` is the root of its first document, None if there is none; `problem` says why it cannot be read as YAML."""

    def __init__(self, source: str | bytes) -> None:
        self.root: Node | None = None
        self.problem: DecodeError | None = None
        try:
            text = read_characters(source)
        except DecodeError as error:
            self.problem = error
            text = source.decode("utf-8", "replace") if isinstance(source, bytes) else source
        else:
            try:
                self.root = compose(text)
            except DecodeError as error:
                self.problem = error
        self.lines = _BREAK.split(text.lstrip("\ufeff"))

    def line(self, number: int | None) -> str:
        """The text of a line, counted from 1; "" if there is no such line."""
        return self.lines[number - 1] if number and 0 < number <= len(self.lines) else ""

    def is_value(self, line: int, column: int) -> bool:
        """Whether a scalar is there, so that what looks like a comment is none."""
        waiting = [self.root] if self.root is not None else []
        while waiting:
            node = waiting.pop()
            waiting += node.children
            if node.kind == SCALAR and (node.line, node.column) <= (line, column) < node.end:
                return True
        return False

    def second_document(self) -> int:
        """The line of the `---` that begins a second document with anything in it, 0 if there is none."""
        filled = 0
        start = 1
        for number, line in enumerate(self.lines, 1):
            if _DOCUMENT_START.match(line):
                start = number
            elif _CONTENT.match(line):
                filled = filled or start
                if start != filled:
                    return start
        return 0
