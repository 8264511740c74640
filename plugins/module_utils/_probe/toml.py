# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads hosts.toml. A node's Python has no TOML parser before 3.11, and hosts.toml may be written by hand.

It knows all of TOML 1.0 but one thing: numbers and dates are kept as text, since no setting of hosts.toml is one.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_COMMENT = re.compile(r"#[^\n]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[0-9A-Za-z+_.:-]+(?: [0-9:.Z+-]+)?")
_ESCAPE = re.compile(r'\\(?:([btnfre"\\])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2}))')
_SHORT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}
_FOLD = re.compile(r"\\[ \t]*\r?\n[ \t\r\n]*")


class TomlError(ValueError):
    """The text is no TOML; the message gives the line and the reason, never the text itself."""


class Document(NamedTuple):
    """`values` as nested dicts; `headers`: the keys of the tables' headers, in order."""

    values: dict[str, Any]
    headers: list[tuple[str, ...]]


def parse_toml(text: str) -> Document:
    """The document that a text is.

    :raises TomlError: if it is none.
    """
    try:
        return _Parser(text.replace("\r\n", "\n")).document()
    except RecursionError:
        raise TomlError("it is nested too deeply") from None


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._headers: list[tuple[str, ...]] = []
        self._defined: set[tuple[str, ...]] = set()

    def document(self) -> Document:
        values: dict[str, Any] = {}
        table, prefix = values, ()  # type: tuple[dict[str, Any], tuple[str, ...]]
        while True:
            self._skip(_GAP)
            if self._at >= len(self._text):
                return Document(values, self._headers)
            if self._peek("["):
                table, prefix = self._header(values)
            else:
                self._pair(table, prefix)
            self._skip(_BLANK)
            self._skip(_COMMENT)
            if self._at < len(self._text) and not self._peek("\n"):
                raise self._error("there is more than one thing on the line")

    def _header(self, values: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        array = self._peek("[[")
        self._at += 2 if array else 1
        keys = self._keys()
        self._expect("]]" if array else "]")
        path = tuple(keys)
        table = self._descend(values, keys[:-1])
        self._headers.append(path)
        if array:
            items = table.setdefault(keys[-1], [])
            if not isinstance(items, list):
                raise self._error("a table and an array of tables have the same name")
            items.append({})
            return items[-1], path
        if path in self._defined:
            raise self._error("the table is there twice")
        self._defined.add(path)
        found = table.setdefault(keys[-1], {})
        if not isinstance(found, dict):
            raise self._error("a value and a table have the same name")
        return found, path

    def _descend(self, table: dict[str, Any], keys: list[str]) -> dict[str, Any]:
        for key in keys:
            found = table.setdefault(key, {})
            if isinstance(found, list) and found:
                found = found[-1]
            if not isinstance(found, dict):
                raise self._error("a value and a table have the same name")
            table = found
        return table

    def _pair(self, table: dict[str, Any], prefix: tuple[str, ...] = ()) -> None:
        keys = self._keys()
        self._expect("=")
        self._skip(_BLANK)
        value = self._value()
        table = self._descend(table, keys[:-1])
        if keys[-1] in table:
            raise self._error("the key is there twice")
        table[keys[-1]] = value

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_BLANK)
            if self._peek('"') or self._peek("'"):
                keys.append(self._string())
            else:
                match = _BARE_KEY.match(self._text, self._at)
                if match is None:
                    raise self._error("a key is expected")
                keys.append(match.group())
                self._at = match.end()
            self._skip(_BLANK)
            if not self._peek("."):
                return keys
            self._at += 1

    def _value(self) -> Any:
        if self._peek('"') or self._peek("'"):
            return self._string()
        if self._peek("["):
            return self._array()
        if self._peek("{"):
            return self._inline_table()
        match = _SCALAR.match(self._text, self._at)
        if match is None:
            raise self._error("a value is expected")
        self._at = match.end()
        text = match.group().rstrip()
        if text in ("true", "false"):
            return text == "true"
        if not re.match(r"[+-]?(?:[0-9]|inf|nan)", text):
            raise self._error("a value without quotes is neither true nor false nor a number")
        return text

    def _array(self) -> list[Any]:
        self._at += 1
        items: list[Any] = []
        while True:
            self._skip(_GAP)
            if self._peek("]"):
                break
            items.append(self._value())
            self._skip(_GAP)
            if not self._peek(","):
                break
            self._at += 1
        self._expect("]")
        return items

    def _inline_table(self) -> dict[str, Any]:
        self._at += 1
        table: dict[str, Any] = {}
        self._skip(_BLANK)
        while not self._peek("}"):
            self._pair(table)
            self._skip(_BLANK)
            if not self._peek(","):
                break
            self._at += 1
        self._expect("}")
        return table

    def _string(self) -> str:
        quote = self._text[self._at]
        if self._text.startswith(quote * 3, self._at):
            return self._long_string(quote)
        self._at += 1
        start = self._at
        while True:
            char = self._text[self._at : self._at + 1]
            if char in ("", "\n"):
                raise self._error("a string does not end on its line")
            if char == quote:
                break
            self._at += 2 if char == "\\" and quote == '"' else 1
        body = self._text[start : self._at]
        self._at += 1
        return self._unescaped(body) if quote == '"' else body

    def _long_string(self, quote: str) -> str:
        start = self._at + 3
        end = self._text.find(quote * 3, start)
        while quote == '"' and end > 0 and self._text[:end][len(self._text[:end].rstrip("\\")) :].count("\\") % 2:
            end = self._text.find(quote * 3, end + 1)
        if end < 0:
            raise self._error("a string does not end")
        while self._text.startswith(quote, end + 3):
            end += 1
        self._at = end + 3
        body = self._text[start:end]
        body = body[1:] if body.startswith("\n") else body
        return self._unescaped(_FOLD.sub("", body)) if quote == '"' else body

    def _unescaped(self, body: str) -> str:
        if "\\" not in body:
            return body
        out: list[str] = []
        position = 0
        while True:
            found = body.find("\\", position)
            if found < 0:
                return "".join(out) + body[position:]
            match = _ESCAPE.match(body, found)
            if match is None:
                raise self._error("an invalid escape sequence in a string: a backslash is written twice in TOML")
            short, small, large, byte = match.groups()
            code = int(small or large or byte or "0", 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise self._error("an escape names no Unicode character")
            out += [body[position:found], _SHORT[short] if short else chr(code)]
            position = match.end()

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def _peek(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _expect(self, text: str) -> None:
        self._skip(_BLANK)
        if not self._peek(text):
            raise self._error(f"{text} is expected")
        self._at += len(text)

    def _error(self, reason: str) -> TomlError:
        return TomlError(f"line {self._text.count(chr(10), 0, self._at) + 1}: {reason}")
