# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One measured value with its budget."""

from __future__ import annotations

from typing import NamedTuple


class Measurement(NamedTuple):
    """What was measured, in which unit, and what is allowed; no budget where it is only worth knowing.

    at_least: the budget is the least that is wanted (lines per second, times faster), not the most that is allowed.
    between: where the value is with 95 % certainty, after so many rounds; None for what was measured once.
    """

    name: str
    measured: float
    unit: str
    budget: float | None = None
    at_least: bool = False
    between: tuple[float, float] | None = None
    rounds: int = 1

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
        """One line of the report: name, measured, budget, ratio, verdict, and how sure that is."""
        start = f"{self.name:<62} {_number(self.measured):>8} {self.unit:<8}"
        if self.budget is None:
            return (start + self._certainty).rstrip()
        bound = "at least" if self.at_least else "at most"
        verdict = "OVER BUDGET" if self.is_over else "ok"
        return f"{start} {bound:<8} {_number(self.budget):>6}  ratio {self.ratio:5.2f}  {verdict}{self._certainty}"

    @property
    def _certainty(self) -> str:
        if self.between is None:
            return ""
        low, high = self.between
        close = self.budget is not None and low <= self.budget <= high
        rounds = f"{self.rounds} round{'s' * (self.rounds != 1)}"
        return f"  ({_number(low)} to {_number(high)}, {rounds}{', close' * close})"


class NotMeasured(NamedTuple):
    """A budget that this machine could not measure: it is neither met nor missed."""

    name: str
    why: str
    is_over: bool = False

    @property
    def line(self) -> str:
        return f"{self.name:<62} NOT MEASURED: {self.why}"


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 20 else f"{value:.2f}"
