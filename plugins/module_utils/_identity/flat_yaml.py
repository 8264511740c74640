# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A strict reader of flat YAML: the few plain values that K3s' configuration files are made of.

A node has no YAML parser, only Python. Most config.yaml files are ``key: value`` lines and lists of plain words, and of
those this reader is certain. It does not guess at anything else (anchors, quotes over several lines, tabs, several
documents): it says that it is unsure, and the controller, which has PyYAML, reads the file instead.
"""

from __future__ import annotations

import re
from typing import Any, Collection, List, Tuple


class Unsure(Exception):
    """The text may mean something that only a YAML parser can tell."""


Entries = List[Tuple[str, Any]]
"""Keys with their values, in the order of the file: a word, a number, true or false, a list of those, or None."""

_KEY = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*\+?) *:(?= |\Z) *(.*)\Z")
_ITEM = re.compile(r" *-(?: +|\Z)(.*)\Z")
_NOTHING = re.compile(r" *(?:#.*)?\Z")
_BLOCK_SCALAR = re.compile(r"[|>][+-]?(?: +#.*| *)\Z")
# Quoted on one line, without an escape of any kind.
_QUOTED = re.compile(r"(?:\"([^\"\\]*)\"|'([^']*)')(?: +#.*| *)\Z")
# No indicator at its beginning, and neither ": " nor " #" inside.
_PLAIN = re.compile(r"(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|[-?:](?=[^\s]))(?:(?!:(?: |\Z)| #).)*\Z")
# A list of plain or quoted words that ends on its line.
_FLOW_WORD = r"(?:\"[^\"\\]*\"|'[^']*'|[^\s\-?:,\[\]{}#&*!|>'\"%@`][^\s,\[\]{}#'\":]*)"
_FLOW_LIST = re.compile(r"(?:\[ *(?:" + _FLOW_WORD + r" *(?:, *|(?=\])))*\]|\{\})(?: +#.*| *)\Z")
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]*)\Z")
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False, "null": None, "~": None}
# Numbers in other notations (0644, 1_000, 0x1f, 1e3, 1:30) are not the same to every YAML parser.
_ODD_NUMBER = re.compile(r"[-+.]?[0-9][0-9_xXoOa-fA-F.:+-]*\Z")
_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}\Z")
# What may stand below the last key of the top level.
_VALUE, _OPEN, _LIST, _MAPPING, _TEXT = "nothing", "anything", "a list", "a mapping", "a block scalar's text"


def read_flat(text: str, wanted: Collection[str]) -> Entries:
    """The values of the keys ``wanted`` in ``text``. A key keeps K3s' ``+`` (append) at its end.

    :raises Unsure: if the text is not certain to mean what it seems to mean.
    """
    found: Entries = []
    below, begun, counts = _VALUE, False, False
    for line in text.split("\n"):
        line = line[:-1] if line.endswith("\r") else line
        if _NOTHING.match(line):
            continue
        if not line.isprintable():
            raise Unsure
        if line == "---" and not begun:
            begun = True
            continue
        begun = True
        item = _ITEM.match(line)
        if item is not None and below in (_OPEN, _LIST):
            below = _LIST
            _certain_to_end_here(item.group(1))
            if counts:
                found[-1][1].append(item.group(1))
        elif line.startswith(" "):
            if below == _OPEN:
                below = _MAPPING
            if below == _VALUE or (counts and below != _TEXT):
                # A value that goes on, or one that begins below its key.
                raise Unsure
            if below != _TEXT:
                _certain_to_end_here(line.strip(" "))
        else:
            key = _KEY.match(line)
            if key is None:
                raise Unsure
            name, value = key.group(1), key.group(2)
            counts = name.rstrip("+") in wanted
            below = _OPEN if _NOTHING.match(value) else _TEXT if _BLOCK_SCALAR.match(value) else _VALUE
            if below == _OPEN and counts:
                found.append((name, []))
            elif counts:
                found.append((name, _meaning(value)))
            elif below == _VALUE:
                _certain_to_end_here(value)
    return [(name, _whole(value)) for name, value in found]


def _whole(value: Any) -> Any:
    """A key with nothing below it is null."""
    return ([_meaning(item) for item in value] or None) if isinstance(value, list) else value


def _certain_to_end_here(text: str) -> None:
    """Let pass what is of no interest, whatever it means.

    :raises Unsure: if it may go on in the next line, where it could swallow a key that counts.
    """
    nested = _KEY.match(text) or _ITEM.match(text)
    while nested is not None:
        text = nested.group(nested.re.groups)
        nested = _KEY.match(text) or _ITEM.match(text)
    if _NOTHING.match(text) or _BLOCK_SCALAR.match(text) or _QUOTED.match(text) or _FLOW_LIST.match(text):
        return
    if not _PLAIN.match(_uncommented(text)):
        raise Unsure


def _uncommented(text: str) -> str:
    return re.split(r" +#", text, maxsplit=1)[0].rstrip(" ")


def _meaning(text: str) -> Any:
    """A scalar's value.

    :raises Unsure: unless every YAML parser agrees about it.
    """
    quoted = _QUOTED.match(text)
    if quoted is not None:
        return quoted.group(1) if quoted.group(1) is not None else quoted.group(2)
    plain = _uncommented(text)
    if plain.lower() in _WORDS and plain in (plain.lower(), plain.title(), plain.upper()):
        return _WORDS[plain.lower()]
    if _DECIMAL.match(plain):
        return int(plain)
    if not _PLAIN.match(plain) or plain.startswith(("-", ".", "=", "<")):
        raise Unsure
    if _ODD_NUMBER.match(plain) and not _ADDRESS.match(plain):
        raise Unsure
    return plain
