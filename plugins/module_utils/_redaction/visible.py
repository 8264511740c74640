# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of somebody else's, made safe to be shown: control characters as text.

A registry chooses its error messages, whoever issues a certificate its subject, a node what it answers. Printed as they
are, a line break and ``ok: [node]`` would look like a line of Ansible's, an escape sequence would recolour or rewrite
what the terminal shows already, and a bidirectional override would turn a sentence around.
"""

from __future__ import annotations

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_CONTINUED = "    "


def visible(text: str) -> str:
    """``text`` on one line, each character that would not show as itself written as an escape: ``\\x1b``, ``\\n``."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def visible_lines(text: str) -> str:
    """The same for a text of several lines, such as a diff: its line feeds and tabs stay."""
    return "\n".join(
        "\t".join(visible(part) for part in line.split("\t")) for line in text.replace("\r\n", "\n").split("\n")
    )


def visible_block(text: str) -> str:
    """The same for a message: all lines but the first are indented, so that none can pass for a line of the run's."""
    first, *others = visible_lines(text).split("\n")
    return "\n".join([first, *(_CONTINUED + line if line.strip() else "" for line in others)])


def _escaped(character: str) -> str:
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    return "\\x%02x" % code if code < 0x100 else "\\u%04x" % code if code < 0x10000 else "\\U%08x" % code
