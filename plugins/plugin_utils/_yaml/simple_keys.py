# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simple keys (those without ``?``) as gopkg.in/yaml.v2 2.4.0 finds them.

PyYAML looks through the possible keys of all flow levels for each token, which takes minutes for
some thousand brackets. yaml.v2 asks only for the token that is next, limits the depth, and so does
this.
"""

# PyYAML's type stubs leave the methods of its scanner untyped.
# mypy: disallow-untyped-calls=False
from __future__ import annotations

import re
from typing import NoReturn

from yaml.error import Mark
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError
from yaml.tokens import BlockMappingStartToken, KeyToken, Token, ValueToken

# Where a line ends: a carriage return before a line feed is not counted by itself.
_LINE_END = re.compile(r"\r(?!\n)|[\n\x85\u2028\u2029]")
_MAX_DEPTH = 10_000
_LONGEST_KEY = 1024


class SimpleKeyScanner(Reader, Scanner):
    """PyYAML's scanner with yaml.v2's rules for keys and depth."""

    # PyYAML's attributes, which its stubs leave untyped.
    buffer: str
    pointer: int
    index: int
    line: int
    column: int
    indent: int
    flow_level: int
    indents: list[int]
    tokens: list[Token]
    tokens_taken: int
    done: bool
    allow_simple_key: bool

    def __init__(self, text: str) -> None:
        self._simple_keys: list[_Key | None] = [None]  # one for each flow level
        self._level_by_token: dict[int, int] = {}
        Reader.__init__(self, text)
        Scanner.__init__(self)

    def check_printable(self, data: str) -> None:
        """Nothing: the text is already checked, and by yaml.v2's rules."""

    def forward(self, length: int = 1) -> None:
        end = self.pointer + length
        after_break = -1
        for found in _LINE_END.finditer(self.buffer, self.pointer, end):
            if found.end() == end and found.group() == "\r" and self.buffer[end] == "\n":
                break
            self.line += 1
            after_break = found.end()
        self.index += length
        self.pointer = end
        self.column = self.column + length if after_break < 0 else end - after_break

    def need_more_tokens(self) -> bool:
        if self.done:
            return False
        if not self.tokens:
            return True
        level = self._level_by_token.get(self.tokens_taken)
        return level is not None and self._is_possible(self._simple_keys[level])

    def stale_possible_simple_keys(self) -> None:
        """Nothing: a key is looked at when its token is next, or a colon follows."""

    def save_possible_simple_key(self) -> None:
        if not self.allow_simple_key:
            return
        required = not self.flow_level and self.indent == self.column
        self.remove_possible_simple_key()
        number = self.tokens_taken + len(self.tokens)
        self._simple_keys[-1] = _Key(number, required, self.index, self.line, self.column, self.get_mark())
        self._level_by_token[number] = len(self._simple_keys) - 1

    def remove_possible_simple_key(self) -> None:
        key = self._simple_keys[-1]
        if key is None or not key.possible:
            return
        if key.required:
            self.fail("could not find expected ':'", key.mark)
        key.possible = False
        self._level_by_token.pop(key.token_number, None)

    def _is_possible(self, key: _Key | None) -> bool:
        """Can a colon still make this a key? It must be on the same line, not 1024 characters away."""
        if key is None or not key.possible:
            return False
        if key.line == self.line and self.index - key.index <= _LONGEST_KEY:
            return True
        if key.required:
            self.fail("could not find expected ':'", key.mark)
        key.possible = False
        return False

    def fetch_value(self) -> None:
        start = self.get_mark()
        key = self._simple_keys[-1]
        if key is not None and self._is_possible(key):
            place = key.token_number - self.tokens_taken
            self._insert(place, KeyToken(key.mark, key.mark))
            if not self.flow_level and self.add_indent(key.column):
                self._insert(place, BlockMappingStartToken(key.mark, key.mark))
            key.possible = False
            self._level_by_token.pop(key.token_number, None)
            self.allow_simple_key = False
        else:
            if not self.flow_level:
                if not self.allow_simple_key:
                    self.fail("mapping values are not allowed in this context", start)
                if self.add_indent(self.column):
                    self.tokens.append(BlockMappingStartToken(start, start))
            self.allow_simple_key = not self.flow_level
        self.forward()
        self.tokens.append(ValueToken(start, self.get_mark()))

    def _insert(self, place: int, token: Token) -> None:
        if place < 0:
            self.tokens.append(token)  # the key's token is gone already, as yaml.v2 has it
        else:
            self.tokens.insert(place, token)

    def fetch_flow_collection_start(self, TokenClass: type) -> None:  # noqa: N803 (PyYAML's name)
        number = self.tokens_taken + len(self.tokens)
        super().fetch_flow_collection_start(TokenClass)
        self._simple_keys.append(_Key(number, False, self.index, self.line, self.column, self.get_mark(), False))
        if self.flow_level > _MAX_DEPTH:
            self.fail(f"exceeded max depth of {_MAX_DEPTH}", self.get_mark())

    def fetch_flow_collection_end(self, TokenClass: type) -> None:  # noqa: N803 (PyYAML's name)
        super().fetch_flow_collection_end(TokenClass)
        self.flow_level = max(self.flow_level, 0)
        if len(self._simple_keys) > 1:
            key = self._simple_keys.pop()
            if key is not None:
                # yaml.v2 forgets by number, which is the bracket's own where no key was inside.
                self._level_by_token.pop(key.token_number, None)

    def add_indent(self, column: int) -> bool:
        added = bool(super().add_indent(column))
        if len(self.indents) > _MAX_DEPTH:
            self.fail(f"exceeded max depth of {_MAX_DEPTH}", self.get_mark())
        return added

    def fail(self, problem: str, mark: Mark) -> NoReturn:
        """Ends the scan with a problem at a place."""
        raise ScannerError(None, None, problem, mark)


class _Key:
    """A place where a simple key may have started; see PyYAML's ``SimpleKey``."""

    __slots__ = ("column", "index", "line", "mark", "possible", "required", "token_number")

    def __init__(
        self, token_number: int, required: bool, index: int, line: int, column: int, mark: Mark, possible: bool = True
    ) -> None:
        self.token_number = token_number
        self.required = required
        self.index = index
        self.line = line
        self.column = column
        self.mark = mark
        self.possible = possible
