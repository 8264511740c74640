# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix as a table for a terminal of any width above 100 columns."""

from __future__ import annotations

import shutil
import textwrap
from typing import Mapping, Sequence

from tests.faults.case import Row

_HEAD = ("fault", "where", "what the run said", "nodes after it", "after the next run")
_SHARES = (0.18, 0.12, 0.36, 0.2, 0.14)


def table(rows: Sequence[Row]) -> str:
    """The rows, wrapped, with a line between two of them."""
    width = max(100, shutil.get_terminal_size((140, 24)).columns) - 2 * len(_HEAD)
    widths = [int(width * share) for share in _SHARES]
    lines = [_line(_HEAD, widths), _line(["-" * size for size in widths], widths)]
    for row in rows:
        said = "MISSED: " + row.missed.splitlines()[0] if row.missed else row.said
        lines.append(_line((row.case.fault, row.case.where, said, states(row.after), states(row.then)), widths))
    wrong = sum(1 for row in rows if row.missed)
    lines.append("%d faults, %d not as expected" % (len(rows), wrong))
    return "\n".join(lines)


def states(found: Mapping[str, str]) -> str:
    """``server-1 old, others new``: the most frequent state is said of "all" or "others"."""
    if not found:
        return ""
    counts = sorted(set(found.values()), key=lambda state: -list(found.values()).count(state))
    others = counts[0]
    named = ["%s %s" % (name, state) for name, state in found.items() if state != others]
    return ", ".join([*named, ("others " if named else "all ") + others])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    wrapped = [textwrap.wrap(cell, size) or [""] for cell, size in zip(cells, widths)]
    height = max(map(len, wrapped))
    return "\n".join(
        "  ".join(
            (column[index] if index < len(column) else "").ljust(size) for column, size in zip(wrapped, widths)
        ).rstrip()
        for index in range(height)
    )
