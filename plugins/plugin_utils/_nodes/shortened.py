# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and numbers for people: as many names as one reads, and how many more there are."""

from __future__ import annotations

from typing import Iterable

_MOST = 8
_SHOWN = 2


def shortened(names: Iterable[str]) -> str:
    """``edge-001, edge-002 and 398 more``; all of them if they are few; "" for none."""
    listed = list(names)
    if len(listed) <= _MOST:
        return ", ".join(listed)
    return "%s and %d more" % (", ".join(listed[:_SHOWN]), len(listed) - _SHOWN)


def counted(number: int, noun: str) -> str:
    """``1 node``, ``2 nodes``."""
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")
