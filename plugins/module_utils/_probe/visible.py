# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other people's words for a terminal: one line, and nothing in it that moves, paints or hides. Pure."""

from __future__ import annotations


def visible(text: str) -> str:
    """Control characters, line breaks and invisible ones as escapes that can be read, such as ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
