# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shortest time of several: for a budget in seconds, which has no yardstick that a busy machine slows down as
well."""

from __future__ import annotations

from typing import Callable


def shortest(run: Callable[[], float], budget: float | None, most: int, least: int = 1) -> float:
    """Run until one run has kept the budget, ``most`` times: other work makes a run longer, and nothing makes it
    shorter.

    :param run: returns what it has taken, in the budget's unit.
    :param least: how often it runs in any case.
    """
    found = float("inf")
    for number in range(1, most + 1):
        found = min(found, run())
        if number >= least and (budget is None or found <= budget):
            break
    return found
