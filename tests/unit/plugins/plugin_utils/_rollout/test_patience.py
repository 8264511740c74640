# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dead run's Lease is waited for, a living run's is not."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.patience import AT_MOST, Patience, outwait


class OtherRun:
    """Another run's Lease, on a clock that only ``sleep`` moves; ``signs`` are the seconds of its renewals."""

    def __init__(self, signs: list[int], duration: int = 60) -> None:
        self.signs, self.duration, self.now = signs, duration, 0.0
        self.said: list[str] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def ask(self) -> dict[str, Any]:
        last = max([sign for sign in self.signs if sign <= self.now], default=0)
        left = last + self.duration - self.now
        if left <= 0:
            return {"lease": "taken_over"}
        return {"failed": True, "lease": "held_by_another", "renewed": str(last), "expires_in": left, "msg": "by X"}

    def outwait(self) -> dict[str, Any]:
        return outwait(self.ask, self.said.append, self.sleep)


def test_a_dead_run_is_waited_for_and_said_once() -> None:
    other = OtherRun([0])
    assert other.outwait() == {"lease": "taken_over"}
    assert other.now == 60
    assert len(other.said) == 1


def test_a_server_that_finished_after_its_run_had_died_is_no_living_run() -> None:
    assert OtherRun([0, 20]).outwait() == {"lease": "taken_over"}


def test_a_living_run_is_recognised_at_its_second_renewal() -> None:
    other = OtherRun(list(range(0, 3600, 15)))
    assert other.outwait()["lease"] == "held_by_another"
    assert other.now <= 30


def test_a_lease_that_lasts_longer_than_anyone_waits_is_refused_at_once() -> None:
    other = OtherRun([0], duration=AT_MOST + 1)
    assert other.outwait()["lease"] == "held_by_another"
    assert other.now == 0


def test_a_free_lease_is_taken_without_a_word() -> None:
    other = OtherRun([0], duration=0)
    assert other.outwait() == {"lease": "taken_over"}
    assert other.said == []


def test_patience_with_absent_hosts_lasts_as_long_as_some_of_them_still_come() -> None:
    moments = [(0.0, "ab"), (59.0, "ab"), (61.0, "b"), (120.0, "b"), (121.0, "b"), (122.0, "")]
    now = [0.0]
    patience = Patience(60.0, clock=lambda: now[0])
    over = []
    for now[0], absent in moments:
        over.append(patience.is_over(list(absent)))
    assert over == [False, False, False, False, True, False]
