# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code blocks of a guide, as a reader copies them."""

from __future__ import annotations

import re
from typing import NamedTuple

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
_SHELL = ("sh", "console")


class Block(NamedTuple):
    """``language`` is what stands behind the fence."""

    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """What a shell gets, a command each, without the comments; none of a block that is not for a shell."""
        if self.language not in _SHELL:
            return []
        lines = [re.sub(r"\s+#.*$", "", line).removeprefix("$ ").strip() for line in self.text.splitlines()]
        return [line for line in lines if line and not line.startswith("#")]


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
        fenced ^= line.startswith("```")
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
    """In their order."""
    return [Block(*found.groups()) for found in _BLOCK.finditer(text)]
