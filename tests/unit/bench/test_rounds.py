# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random
from typing import Callable, Sequence

import pytest

from tests.bench.ratios import Question, ratio
from tests.bench.rounds import Timings, interleaved


def noisy(seconds: float, dice: random.Random, busy: float) -> float:
    """What a run that takes so long takes on a machine whose other work disturbs that share of runs."""
    disturbed = dice.uniform(1.2, 2.5) if dice.random() < busy else 1.0
    return seconds * dice.lognormvariate(0, 0.06) * disturbed


def verdict(true_ratio: float, seed: int, budget: float = 1.0, busy: float = 0.1) -> tuple[bool, int]:
    """Whether a bench calls it over budget, and after how many rounds."""
    dice = random.Random(seed)
    question = Question(("ours",), ("ping",), budget)
    runs: dict[str, Callable[[], float]] = {
        "ours": lambda: noisy(4.0 * true_ratio, dice, busy),
        "ping": lambda: noisy(4.0, dice, busy),
    }
    timings = interleaved(runs, [question], most=12, seconds=1e9)
    return timings.judged("ours", question).is_over, len(timings.rounds)


@pytest.mark.parametrize(
    ("true_ratio", "over", "busy", "at_least"),
    [
        (0.8, False, 0.1, 0.99),
        (1.25, True, 0.1, 0.99),
        (0.8, False, 0.2, 0.97),
        (1.25, True, 0.2, 0.97),
        (0.5, False, 0.2, 1.0),
        (2.0, True, 0.2, 1.0),
    ],
)
def test_a_busy_machine_gives_the_same_verdict(true_ratio: float, over: bool, busy: float, at_least: float) -> None:
    verdicts = [verdict(true_ratio, seed, busy=busy)[0] for seed in range(300)]
    assert verdicts.count(over) >= at_least * len(verdicts)


def test_what_is_clear_takes_few_rounds_and_what_is_close_takes_many() -> None:
    def rounds(true_ratio: float) -> float:
        return sum(verdict(true_ratio, seed, busy=0.0)[1] for seed in range(50)) / 50

    assert rounds(2.0) == 3.0
    assert rounds(0.8) < 4.0
    assert rounds(1.0) > 8.0


def test_what_slows_a_whole_round_down_does_not_make_a_ratio_unsure() -> None:
    drifting = [{"ours": seconds * 0.8, "ping": seconds} for seconds in (1.0, 3.0, 2.0, 5.0)]
    found = ratio(Question(("ours",), ("ping",)), drifting)
    assert found is not None
    assert found.measured == pytest.approx(0.8)
    assert found.high < 0.9


def test_one_disturbed_run_does_not_move_the_ratio() -> None:
    rounds = [{"ours": 0.8, "ping": 1.0}] * 4 + [{"ours": 8.0, "ping": 1.0}]
    found = ratio(Question(("ours",), ("ping",)), rounds)
    assert found is not None
    assert found.measured == pytest.approx(0.8)
    assert found.settles(5.0)
    assert not found.settles(1.0), "it makes it unsure, so that more rounds follow"


def test_growth_is_compared_with_that_of_its_yardstick() -> None:
    question = Question(("large", "small ping"), ("small", "large ping"), 1.1)
    rounds = [{"large": 30.0, "small": 2.0, "large ping": 20.0, "small ping": 2.0}]
    found = ratio(question, rounds)
    assert found is not None
    assert found.measured == pytest.approx(1.5)


def test_a_question_needs_a_round_with_everything_in_it() -> None:
    question = Question(("ours",), ("ping",))
    assert ratio(question, [{"ours": 1.0}, {"ping": 1.0}]) is None
    with pytest.raises(LookupError, match="no round has all of ours, ping"):
        Timings([{"ours": 1.0}]).ratio(question)


class Clock:
    """Time that passes only while something runs."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def __call__(self) -> float:
        return self.now

    def run(self, name: str, seconds: float) -> Callable[[], float]:
        def call() -> float:
            self.now += seconds
            self.order.append(name)
            return seconds

        return call


def timed(questions: Sequence[Question], seconds: float = 1e9, **runs: float) -> tuple[Timings, Clock]:
    clock = Clock()
    called = {name: clock.run(name, takes) for name, takes in runs.items()}
    return interleaved(called, questions, most=5, seconds=seconds, clock=clock), clock


def test_competitors_run_by_turns_and_no_longer_than_a_question_needs_them() -> None:
    close = Question(("ours",), ("ping",), 1.0)
    clear = Question(("theirs",), ("ours",), 5.0, at_least=True)
    _timings, clock = timed([close, clear], ours=1.0, ping=1.0, theirs=30.0)
    assert clock.order[:6] == ["ours", "ping", "theirs", "theirs", "ping", "ours"]
    assert clock.order.count("theirs") == 3
    assert clock.order.count("ours") == clock.order.count("ping") == 5, "as many rounds as are allowed"


def test_a_question_that_takes_long_is_asked_as_often_as_it_says() -> None:
    close, clear = Question(("ours",), ("ping",), 1.0), Question(("theirs",), ("ours",), 2.0, most=2)
    _timings, clock = timed([close, clear], ours=1.0, ping=1.0, theirs=2.0)
    assert (clock.order.count("theirs"), clock.order.count("ours")) == (2, 5)


def test_what_has_no_budget_runs_once() -> None:
    timings, clock = timed([Question(("ours",), ("ping",))], ours=1.0, ping=2.0)
    assert clock.order == ["ours", "ping"]
    assert timings.judged("ours", Question(("ours",), ("ping",))).measured == pytest.approx(0.5)


def test_no_round_begins_that_would_take_too_long() -> None:
    close = Question(("ours",), ("ping",), 1.0)
    for seconds, rounds in ((0.5, 1), (5.9, 2), (6.0, 3), (100.0, 5)):
        assert len(timed([close], seconds, ours=1.0, ping=1.0)[0].rounds) == rounds
    # The first round took 32 s, those that follow it are short.
    assert len(timed([close, Question(("long",), ("ours",))], 36.0, ours=1.0, ping=1.0, long=30.0)[0].rounds) == 3


def test_a_line_says_how_sure_it_is() -> None:
    close = Question(("ours",), ("ping",), 1.0)
    line = timed([close], ours=1.0, ping=1.01)[0].judged("ours", close).line
    assert "ratio  0.99  ok  (0." in line
    assert line.endswith(", 5 rounds, close)")
    clear = Question(("ours",), ("ping",), 2.0)
    line = timed([clear], ours=3.0, ping=1.0)[0].judged("ours", clear).line
    assert "OVER BUDGET" in line
    assert line.endswith(", 3 rounds)")


def test_whoever_waits_is_told_of_each_run() -> None:
    told: list[str] = []
    interleaved({"ours": lambda: 2.0, "ping": lambda: 4.0}, [Question(("ours",), ("ping",))], tell=told.append)
    assert told == ["round 1, ours: 2.0 s", "round 1, ping: 4.0 s"]
