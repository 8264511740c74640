# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One measured value beside its budget."""

from __future__ import annotations

from typing import NamedTuple


class Measurement(NamedTuple):
    """What was measured, in which unit, and what is allowed; no budget where it is only worth knowing.

    at_least: the budget is the least that is wanted (lines per second, times faster), not the most that is allowed.
    """

    name: str
    measured: float
    unit: str
    budget: float | None = None
    at_least: bool = False

    @property
    def ratio(self) -> float | None:
        """How much of the budget is used: above 1 it is missed, whichever way the budget counts."""
        if self.budget is None:
            return None
        if self.at_least:
            return self.budget / self.measured if self.measured else float("inf")
        return self.measured / self.budget

    @property
    def is_over(self) -> bool:
        return self.ratio is not None and self.ratio > 1

    @property
    def line(self) -> str:
        """One line of the report: name, measured, budget, ratio, verdict."""
        start = f"{self.name:<54} {_number(self.measured):>10} {self.unit:<8}"
        if self.budget is None:
            return start.rstrip()
        bound = "at least" if self.at_least else "at most"
        verdict = "OVER BUDGET" if self.is_over else "ok"
        return f"{start} {bound:<8} {_number(self.budget):>8}  ratio {self.ratio:6.2f}  {verdict}"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}"
