# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs things in turn, round by round, until it is clear which of them keep their budgets.

In each round everything runs once that an open question names, forwards and backwards in turn, so that neither a
machine that becomes slower nor what one run leaves to the next favours any of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import median
from typing import Callable, Iterable, Mapping

from tests.bench.measurement import Measurement
from tests.bench.ratios import Question, Ratio, ratio

_LEAST = 3
"""Rounds without which nothing is settled: on a busy machine two may well be disturbed alike."""


@dataclass
class Timings:
    """What has been timed so far."""

    rounds: list[dict[str, float]] = field(default_factory=list)

    def seconds(self, name: str) -> float:
        """The median of what ran under this name."""
        return median(times[name] for times in self.rounds if name in times)

    def plain(self, line: str, name: str) -> Measurement:
        """A line that is only worth knowing."""
        return Measurement(line, self.seconds(name), "s")

    def judged(self, line: str, question: Question) -> Measurement:
        """The line of a question."""
        found = self.ratio(question)
        return Measurement(
            line, found.measured, "times", question.budget, question.at_least, (found.low, found.high), found.rounds
        )

    def settles(self, questions: Iterable[Question]) -> bool:
        """Whether more rounds would hardly change the verdict on any of them."""
        return bool(self.rounds) and all(_settled(self.ratio(one), one) for one in questions)

    def ratio(self, question: Question) -> Ratio:
        """:raises LookupError: for a question about something that never ran."""
        found = ratio(question, self.rounds)
        if found is None:
            raise LookupError("no round has all of %s" % ", ".join(question.names))
        return found


def interleaved(
    runs: Mapping[str, Callable[[], float]],
    questions: Iterable[Question],
    most: int = 8,
    seconds: float = 120.0,
    clock: Callable[[], float] = time.monotonic,
    tell: Callable[[str], object] = lambda _line: None,
) -> Timings:
    """Time ``runs`` until every question is settled, ``most`` rounds are over, or one more would take longer than
    ``seconds`` in all. There is always one.

    :param runs: what to run by name; each returns the seconds that count.
    :param tell: is told of every run, for benches whose rounds take minutes.
    """
    timings, began = Timings(), clock()
    open_questions = list(questions)
    longest: dict[str, float] = {}
    while open_questions and len(timings.rounds) < most:
        wanted = [name for name in runs if any(name in question.names for question in open_questions)]
        if timings.rounds and clock() - began + sum(longest[name] for name in wanted) > seconds:
            break
        if len(timings.rounds) % 2:
            wanted.reverse()
        times = {}
        for name in wanted:
            started = clock()
            times[name] = runs[name]()
            longest[name] = max(longest.get(name, 0.0), clock() - started)
            tell("round %d, %s: %.1f s" % (len(timings.rounds) + 1, name, times[name]))
        timings.rounds.append(times)
        open_questions = [one for one in open_questions if not _settled(timings.ratio(one), one)]
    return timings


def _settled(found: Ratio, question: Question) -> bool:
    if question.budget is None or found.rounds >= question.most:
        return True
    return found.rounds >= _LEAST and found.settles(question.budget)
