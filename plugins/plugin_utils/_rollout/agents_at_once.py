# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many agents restart at once: what is written in a variable, as numbers of agents."""

from __future__ import annotations

import re
from typing import Any


class BatchProblem(ValueError):
    """Neither a number nor a percentage, nor a list of them."""


def batch_sizes(batch: Any, total: int) -> tuple[int, ...]:
    """``batch`` as numbers of agents, one for each batch; the last is that of all further batches.

    :param batch: a number, a percentage of ``total`` agents, or several of them, as a list or as text, ``1, 5, 10%``.
        A percentage is rounded down, but to at least 1. A survey of AWX and ``--extra-vars`` can give only text.
    :raises BatchProblem: for anything but positive numbers and percentages from 1 to 100.
    """
    entries = list(batch) if isinstance(batch, (list, tuple)) else _split(str(batch))
    if not entries:
        raise BatchProblem("%r has no entry: give a number of agents or a percentage such as 25%%" % (batch,))
    return tuple(_size(entry, batch, total) for entry in entries)


def _split(text: str) -> list[str]:
    listed = text.strip()
    if listed.startswith("[") and listed.endswith("]"):
        listed = listed[1:-1]
    return [entry.strip().strip("'\"") for entry in listed.split(",")] if listed.strip() else [text]


def _size(entry: Any, batch: Any, total: int) -> int:
    match = re.match(r"^\s*(\d+)\s*(%?)\s*\Z", str(entry), re.ASCII)
    number = int(match.group(1)) if match else 0
    percentage = bool(match and match.group(2))
    if number < 1 or (percentage and number > 100):
        where = "" if entry == batch else " (in %s)" % (batch,)
        raise BatchProblem("%r is neither a positive number of agents nor a percentage such as 25%%%s" % (entry, where))
    return max(1, total * number // 100) if percentage else number
