# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code blocks of a guide, as a reader copies them."""

from __future__ import annotations

import re
import textwrap
from typing import NamedTuple

from tests.docs.guides import shell

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)
_FENCE = re.compile(r"^ *```", re.M)
SHELL = "sh"


class Block(NamedTuple):
    """``language`` is what stands behind the fence, ``line`` is the fence's, from 1."""

    language: str
    text: str
    line: int = 0

    @property
    def commands(self) -> list[str]:
        """What a shell gets, a command each, without the comments; none of a block that is not for a shell.

        :raises shell.ShellProblem: if a quote is not closed.
        """
        return [command.text for command in self.numbered_commands]

    @property
    def numbered_commands(self) -> list[shell.Command]:
        """The same, with lines counted from the fence's."""
        return shell.commands(self.text, self.line + 1) if self.language == SHELL else []

    @property
    def file(self) -> str:
        """The name of the file that the block shows, if its first line is a comment with one; otherwise nothing."""
        named = re.match(r"# ([\w./-]+\.\w+)(?=[\s:;]|$)", self.text)
        return named[1] if named else ""


def section(page: str, title: str = "") -> str:
    """What stands below a heading, up to the next one of its level; the whole page without a title.

    :raises ValueError: if there is no such heading.
    """
    if not title:
        return page
    lines: list[str] = []
    level, fenced = 0, False
    for line in page.splitlines(keepends=True):
        # A comment in a block looks like a heading.
        fenced ^= line.lstrip().startswith("```")
        heading = None if fenced else re.match(r"(#+) (.*)$", line)
        if level and heading and len(heading[1]) <= level:
            break
        if level:
            lines.append(line)
        elif heading and heading[2] == title:
            level = len(heading[1])
    if not level:
        raise ValueError("there is no heading %r" % title)
    return "".join(lines)


def blocks(text: str) -> list[Block]:
    """In their order, without the indentation that they have in a list.

    :raises ValueError: if a fence has no end.
    """
    found = [
        Block(each["language"], textwrap.dedent(each["text"]), text.count("\n", 0, each.start()) + 1)
        for each in _BLOCK.finditer(text)
    ]
    if 2 * len(found) != len(_FENCE.findall(text)):
        raise ValueError("there is a fence without an end, or an end that is indented in another way")
    return found


def outside(text: str) -> str:
    """The page with empty lines in the place of its blocks."""
    return _BLOCK.sub(lambda each: "\n" * each[0].count("\n"), text)
