# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text as Go handles it: strings are bytes, and ``%q`` quotes them.

K3s is a Go program, and its results are compared byte for byte, so the rules below work on what Go
sees. A Go string is carried here as a Python ``str`` with one character per byte ("bytes as text",
Latin-1), because every decision of Go's ``net/url`` is about single bytes.
"""

from __future__ import annotations

import re

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}
_UNESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, '"': 34, "\\": 92, "'": 39}
_PLAIN = re.compile(r"[ !#-\[\]-~]*\Z")
_QUOTED_PART = re.compile(
    r'\\(?:([abfnrtv"\\\'])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))|([^"\\]+)'
)


def to_go_bytes(text: str) -> str:
    """The bytes of a Go string, one character each. Lone surrogates stand for bytes that are no UTF-8."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError:
        # Half of a surrogate pair, which JSON can spell: no text that Go could hold, but no reason to stop either.
        return text.encode("utf-8", "surrogatepass").decode("latin-1")


def from_go_bytes(raw: str) -> str:
    """The reverse of :func:`to_go_bytes`; bytes that are no UTF-8 become lone surrogates."""
    if raw.isascii():
        return raw
    return raw.encode("latin-1").decode("utf-8", "surrogateescape")


def go_quote(text: str) -> str:
    """Go's ``fmt.Sprintf("%q", text)``: what K3s' templates write around paths and credentials."""
    if _PLAIN.match(text):
        return '"' + text + '"'
    parts = ['"']
    for char in text:
        code = ord(char)
        if char in _ESCAPES:
            parts.append(_ESCAPES[char])
        elif 0xDC80 <= code <= 0xDCFF:
            parts.append(f"\\x{code - 0xDC00:02x}")
        elif char.isprintable():
            parts.append(char)
        elif code < 0x20 or code == 0x7F:
            parts.append(f"\\x{code:02x}")
        elif code < 0x10000:
            parts.append(f"\\u{code:04x}")
        else:
            parts.append(f"\\U{code:08x}")
    parts.append('"')
    return "".join(parts)


def go_unquote(quoted: str) -> str:
    """The text that :func:`go_quote` quoted.

    :raises ValueError: if ``quoted`` is not a string as ``%q`` writes it.
    """
    if len(quoted) < 2 or quoted[0] != '"' or quoted[-1] != '"':
        raise ValueError("not a double-quoted string")
    body = quoted[1:-1]
    out = bytearray()
    position = 0
    while position < len(body):
        match = _QUOTED_PART.match(body, position)
        if match is None:
            raise ValueError("not a string as Go quotes it")
        short, byte, small, large, octal, plain = match.groups()
        if plain is not None:
            out += plain.encode("utf-8", "surrogateescape")
        elif short is not None:
            out.append(_UNESCAPES[short])
        elif byte is not None:
            out.append(int(byte, 16))
        elif octal is not None:
            out.append(int(octal, 8) & 0xFF)
        else:
            out += chr(int(small or large, 16)).encode("utf-8", "surrogatepass")
        position = match.end()
    return out.decode("utf-8", "surrogateescape")
