# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where one batch of agents ends and the next begins."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.batches import (
    Batches,
    pause_left,
    pause_line,
    places,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import COMMITTING, ENDED, Run
from simulated_fleet import a_fleet


def a_run(ended: int, at_work: int = 0, agents_ended: float = 100.0) -> Run:
    run = a_fleet(20, servers=0)
    names = list(run.hosts)
    for name in names[:ended]:
        run.hosts[name].progress = ENDED
    for name in names[ended : ended + at_work]:
        run.hosts[name].progress = COMMITTING
    run.pace.agents_ended = agents_ended if ended else 0.0
    return run


@pytest.mark.parametrize(
    ("ended", "at_work", "free"),
    [
        (0, 0, 1),
        (0, 1, 0),
        (1, 0, 3),
        (1, 2, 1),
        (2, 1, 2),
        # The batch of three is not through, so that of five does not begin.
        (2, 2, 0),
        (3, 1, 0),
        (4, 0, 5),
        # In the last size, the next begins as soon as one has ended.
        (6, 3, 2),
        (5, 5, 0),
        (9, 3, 2),
    ],
)
def test_a_batch_begins_once_the_one_before_of_another_size_has_ended(ended: int, at_work: int, free: int) -> None:
    assert places(a_run(ended, at_work), Batches((1, 3, 5)), 101.0) == free


@pytest.mark.parametrize(
    ("ended", "at_work", "now", "free"),
    [(0, 0, 1.0, 4), (3, 1, 999.0, 0), (4, 0, 109.9, 0), (4, 0, 110.0, 4), (4, 2, 101.0, 2), (8, 0, 105.0, 0)],
)
def test_with_a_pause_every_batch_ends_before_the_next(ended: int, at_work: int, now: float, free: int) -> None:
    assert places(a_run(ended, at_work), Batches((4,), pause=10), now) == free


def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    assert pause_left(a_run(4), Batches((4,), pause=10), 50.0) == 0.0


def test_the_pause_is_said_once_a_batch_is_through_and_not_after_the_last() -> None:
    batches = Batches((4,), pause=60)
    assert pause_line(a_run(3, 1), batches, 17) == ""
    assert pause_line(a_run(4), batches, 16) == "pause of 60 s before the next 4 agents (k3s_registries_batch_pause)"
    assert pause_line(a_run(4), batches, 1) == "pause of 60 s before the next agent (k3s_registries_batch_pause)"
    assert pause_line(a_run(4), batches, 0) == ""
    assert pause_line(a_run(4), Batches((4,)), 16) == ""
    assert pause_line(a_run(0), batches, 20) == ""


@pytest.mark.parametrize(
    ("batches", "said"),
    [
        (Batches((1,)), "1 at a time"),
        (Batches((1, 5, 100)), "1, then 5, then 40 at a time"),
        (Batches((50, 100), pause=30), "40 at a time, 30 s between batches"),
    ],
)
def test_the_plan_says_the_sizes_that_count(batches: Batches, said: str) -> None:
    assert batches.words(forks=40) == said
