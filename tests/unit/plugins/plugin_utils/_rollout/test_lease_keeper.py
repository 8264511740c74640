# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper renews while the run lives, and gives the lease back when it died."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import lease_keeper


class World:
    """A run that lives until ``dies_at`` and gives back at ``released_at``, in seconds of a clock of its own."""

    def __init__(self, dies_at: float, released_at: float) -> None:
        self.now = 0.0
        self.dies_at, self.released_at = dies_at, released_at
        self.takes = 0.0
        self.renewed: list[float] = []
        self.given_back = 0

    def run(self, renew_fails: bool = False) -> None:
        def sleep(seconds: float) -> None:
            self.now += seconds

        def renew() -> None:
            self.renewed.append(self.now)
            self.now += self.takes
            if renew_fails:
                raise ConnectionError

        def give_back() -> None:
            self.given_back += 1

        lease_keeper.keep(
            lambda: self.now < self.dies_at,
            lambda: self.now < self.released_at,
            renew,
            give_back,
            sleep,
            lambda: self.now,
        )


def test_it_renews_and_leaves_a_lease_that_was_given_back_alone() -> None:
    world = World(dies_at=1000, released_at=50)
    world.run()
    assert (world.renewed, world.given_back) == ([15.0, 30.0, 45.0], 0)


def test_it_gives_back_for_a_run_that_died_even_if_renewing_failed() -> None:
    world = World(dies_at=20, released_at=1000)
    world.run(renew_fails=True)
    assert (world.renewed, world.given_back) == ([15.0], 1)


def test_a_lease_that_a_late_renewal_has_taken_anew_is_given_back() -> None:
    world = World(dies_at=1000, released_at=16)
    world.takes = 2
    world.run()
    assert (world.renewed, world.given_back) == ([15.0], 1)


def _run(folder: str, forked: object) -> None:
    def give_back() -> None:
        Path(folder, "given-back").touch()

    lease_keeper.leave_behind(os.getpid(), lambda: True, lambda: None, give_back)
    forked.set()  # type: ignore[attr-defined]
    signal.pause()


def test_a_killed_main_process_is_noticed(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    forked = fork.Event()
    main = fork.Process(target=_run, args=(str(tmp_path), forked))
    main.start()
    assert forked.wait(10)
    os.kill(main.pid or 0, signal.SIGKILL)
    main.join()
    while not (tmp_path / "given-back").exists():
        os.sched_yield()
