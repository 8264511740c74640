# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many times as long one thing takes as another, and how sure that is. Pure: times in, ratios out.

The measured ratio is that of medians, which one disturbed run does not move. How sure it is comes from the ratios round
by round, because what slows a whole round down (another program, a hot processor) slows both things in it.
"""

from __future__ import annotations

import math
from statistics import median
from typing import Mapping, NamedTuple, Sequence

Round = Mapping[str, float]
"""What ran in one round, by name, in seconds."""

_QUIET_NOISE, _QUIET_ROUNDS = 0.08, 4
"""What is assumed before anything is measured: ratios that vary by 8 %, as if four rounds had shown it. Without that,
two rounds which happen to agree would look certain."""

_MEDIAN = math.sqrt(math.pi / 2)
"""The median of noisy values is that much less certain than their mean."""

_STUDENT = {
    4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 11: 2.201, 12: 2.179, 14: 2.145, 16: 2.120,
    20: 2.086, 30: 2.042,
}  # fmt: skip
"""Two-sided 95 % quantiles by degrees of freedom; of those in between the smaller one counts."""


class Question(NamedTuple):
    """Is ``over`` at most ``budget`` times ``under``, or with ``at_least`` at least?

    Several names are multiplied: ``("large", "small ping")`` over ``("small", "large ping")`` asks whether something
    grows as its yardstick does. Without a budget the ratio is only worth knowing. After ``most`` rounds, the question
    is asked no longer: for what takes long, and is far from its budget.
    """

    over: tuple[str, ...]
    under: tuple[str, ...]
    budget: float | None = None
    at_least: bool = False
    most: int = 100

    @property
    def names(self) -> tuple[str, ...]:
        return self.over + self.under


class Ratio(NamedTuple):
    """The ratio of medians, and between which values it is with 95 % certainty after so many rounds."""

    measured: float
    low: float
    high: float
    rounds: int

    def settles(self, budget: float) -> bool:
        """Whether more rounds would hardly change the verdict."""
        return not self.low <= budget <= self.high


def ratio(question: Question, rounds: Sequence[Round]) -> Ratio | None:
    """What the rounds say, None if there is none in which everything ran that the question names."""
    complete = [times for times in rounds if all(name in times for name in question.names)]
    if not complete:
        return None
    count = len(complete)
    middle = _log_ratio(question, {name: median(times[name] for times in complete) for name in question.names})
    squares = sum((_log_ratio(question, times) - middle) ** 2 for times in complete)
    freedom = _QUIET_ROUNDS + count - 1
    noise = math.sqrt((_QUIET_ROUNDS * _QUIET_NOISE**2 + squares) / freedom)
    half = _MEDIAN * _student(freedom) * noise / math.sqrt(count)
    return Ratio(math.exp(middle), math.exp(middle - half), math.exp(middle + half), count)


def _log_ratio(question: Question, times: Round) -> float:
    return sum(math.log(times[name]) for name in question.over) - sum(math.log(times[name]) for name in question.under)


def _student(freedom: int) -> float:
    return _STUDENT[max(known for known in _STUDENT if known <= freedom)]
