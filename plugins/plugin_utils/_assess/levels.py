# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The levels that everything is judged by: what needs attention, and how badly."""

from __future__ import annotations

from typing import Iterable

#: From the worst to the best; ``unknown`` is what nobody could look at.
LEVELS = ("error", "warning", "unknown", "info", "ok")
#: The levels of what somebody has to look after.
TROUBLE = ("error", "warning", "unknown")


def worst(levels: Iterable[str], default: str = "ok") -> str:
    """The worst of ``levels``, ``default`` if there is none."""
    return min(levels, key=LEVELS.index, default=default)
