# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run's shared file, used by several processes at once as Ansible's workers do."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import time
from pathlib import Path

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger

_FORK = multiprocessing.get_context("fork")


def _count(folder: str, times: int) -> None:
    for _number in range(times):
        with Ledger(folder, "c").opened() as state:
            state["failed"]["n"] = int(state["failed"].get("n", 0)) + 1  # type: ignore[call-overload]


def test_no_update_is_lost_between_processes(tmp_path: Path) -> None:
    workers = [_FORK.Process(target=_count, args=(str(tmp_path), 50)) for _number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with Ledger(str(tmp_path), "c").opened() as state:
        assert state["failed"]["n"] == 200


def _hold(folder: str, inside: object) -> None:
    with Ledger(folder, "c").exclusively("servers"):
        inside.set()  # type: ignore[attr-defined]
        signal.pause()


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    inside = _FORK.Event()
    worker = _FORK.Process(target=_hold, args=(str(tmp_path), inside))
    worker.start()
    inside.wait()
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join()
    with Ledger(str(tmp_path), "c").exclusively("servers"):
        pass


def test_a_block_that_raises_changes_nothing(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path), "c")
    try:
        with ledger.opened() as state:
            state["shown"] = True
            raise KeyError
    except KeyError:
        pass
    with ledger.opened() as state:
        assert state["shown"] is False


def test_clusters_do_not_meet_and_only_the_user_reads(tmp_path: Path) -> None:
    with Ledger(str(tmp_path), "one").opened() as state:
        state["shown"] = True
    with Ledger(str(tmp_path), "two").opened() as state:
        assert state["shown"] is False
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def _restart(folder: str, server: bool, at_once: int, log: str) -> None:
    with Ledger(folder, "c").turn_to_restart(server, at_once):
        for event in ("+", "-"):
            with open(log, "a", encoding="ascii") as handle:
                handle.write(event + ("s" if server else "a") + "\n")
            time.sleep(0.05)


def test_a_server_restarts_alone_and_agents_in_their_number(tmp_path: Path) -> None:
    log = tmp_path / "log"
    nodes = [True, False, False, False, True, False, False]
    workers = [_FORK.Process(target=_restart, args=(str(tmp_path), server, 2, str(log))) for server in nodes]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    away, most = {"s": 0, "a": 0}, 0
    for event in log.read_text(encoding="ascii").split():
        away[event[1]] += 1 if event[0] == "+" else -1
        most = max(most, away["a"])
        assert away["s"] <= 1
        assert away["s"] == 0 or away["a"] == 0
        assert away["a"] <= 2
    assert most == 2
    assert away == {"s": 0, "a": 0}


def test_a_child_left_behind_keeps_nothing_locked(tmp_path: Path) -> None:
    with Ledger(str(tmp_path), "c").exclusively("lease"):
        child = _FORK.Process(target=signal.pause)
        child.start()
    try:
        with Ledger(str(tmp_path), "c").exclusively("lease"):
            pass
    finally:
        child.kill()
        child.join()
