# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run's shared file, used by several processes at once as Ansible's workers do."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import stat
import time
from pathlib import Path
from typing import Iterator

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import (
    COMMITTING,
    ENDED,
    LEFT,
    WAITING,
    Host,
    Lease,
    Run,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run_as_text import decode, encode

_FORK = multiprocessing.get_context("fork")


def _count(folder: str, times: int) -> None:
    for _number in range(times):
        with Ledger(folder, "c").opened() as run:
            run.failed["n"] = str(int(run.failed.get("n", 0)) + 1)


def test_no_update_is_lost_between_processes(tmp_path: Path) -> None:
    workers = [_FORK.Process(target=_count, args=(str(tmp_path), 50)) for _number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with Ledger(str(tmp_path), "c").opened() as run:
        assert run.failed["n"] == "200"


def test_a_run_reads_as_it_was_written() -> None:
    run = Run(
        hosts={"a": Host(role="server", reasons=["x"], ill="y", progress=ENDED, made_way=2), "b": Host()},
        failed={"c": "why"}, refused=["d"], canary=["a"], order=["b", "a"], shown=True, controller=7,
        lease=Lease("me", True, "a", False, "no", ["s"]),
    )  # fmt: skip
    assert decode(encode(run)) == run
    assert decode(encode(Run())) == Run()


def _occupy(folder: str, host: str, inside: object) -> None:
    with Ledger(folder, "c").place_of(host), Ledger(folder, "c").exclusively("servers"):
        inside.set()  # type: ignore[attr-defined]
        signal.pause()


@contextlib.contextmanager
def occupied(folder: Path, host: str) -> Iterator[multiprocessing.process.BaseProcess]:
    """A process that has the place of ``host``, killed at the end at the latest."""
    inside = _FORK.Event()
    worker = _FORK.Process(target=_occupy, args=(str(folder), host, inside))
    worker.start()
    try:
        inside.wait()
        yield worker
    finally:
        worker.kill()
        worker.join()


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    with occupied(tmp_path, "a") as worker:
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join()
        with Ledger(str(tmp_path), "c").exclusively("servers"):
            pass


@pytest.mark.parametrize(("progress", "becomes"), [(WAITING, LEFT), (COMMITTING, ENDED)])
def test_nobody_waits_for_a_host_whose_process_is_gone(tmp_path: Path, progress: str, becomes: str) -> None:
    ledger = Ledger(str(tmp_path), "c")
    with ledger.opened() as run:
        run.hosts["a"] = Host(progress=progress)

    def seen(run: Run) -> tuple[str, bool]:
        return run.hosts["a"].progress, "a" in run.failed

    with occupied(tmp_path, "a"):
        assert ledger.first_answer(seen) == (progress, False)
    assert ledger.first_answer(seen) == (becomes, becomes == ENDED)


def _sees(folder: str, what: str, answered: object) -> None:
    answered.put(Ledger(folder, "c").first_answer(lambda run: run.failed.get(what)))  # type: ignore[attr-defined]


def test_a_waiting_process_is_told_of_what_another_changes(tmp_path: Path) -> None:
    answered = _FORK.Queue()
    worker = _FORK.Process(target=_sees, args=(str(tmp_path), "a", answered))
    worker.start()
    with Ledger(str(tmp_path), "c").opened() as run:
        run.failed["a"] = "why"
    assert answered.get(timeout=10) == "why"
    worker.join()


def test_waiting_writes_nothing(tmp_path: Path) -> None:
    """Whoever waits looks again when the file changes; if looking changed it, all would look all the time."""
    ledger = Ledger(str(tmp_path), "c")
    with ledger.opened() as run:
        run.shown = True
    [path] = tmp_path.glob("*.json")
    before = path.stat()
    asked = iter([None, None, True])
    assert ledger.first_answer(lambda _run: next(asked))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino


def test_a_run_that_nothing_is_known_of_is_not_written(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path), "c")
    with ledger.opened():
        pass
    assert ledger.all() == []


def test_the_end_of_the_run_ends_the_waiting(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Ledger(str(tmp_path / "removed"), "c").first_answer(lambda _run: None)


def test_a_block_that_raises_changes_nothing(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path), "c")
    with contextlib.suppress(KeyError), ledger.opened() as run:
        run.shown = True
        raise KeyError
    with ledger.opened() as run:
        assert run.shown is False


def test_clusters_have_a_run_each_see_that_of_the_others_and_only_the_user_reads(tmp_path: Path) -> None:
    one, two = Ledger(str(tmp_path), "one"), Ledger(str(tmp_path), "two")
    with one.opened() as run:
        run.shown = True
    with two.opened() as run:
        assert run.shown is False
        run.controller = 7
    (tmp_path / "k3sfleet-something-else.json").write_text("[]", encoding="ascii")
    (tmp_path / "k3sfleet-something-else.json").chmod(0o600)
    assert one.others() == [Run(controller=7)]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


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


def test_hosts_that_are_alike_are_written_once() -> None:
    reasons = ["registries.yaml is not what K3s has loaded"]
    hosts = {
        "edge-%04d" % number: Host(reasons=list(reasons), node_name="edge-%04d.example.com" % number, kind="x" * 64)
        for number in range(1000)
    }
    run = Run(hosts=hosts)
    text = encode(run)
    assert len(text) < 60_000
    assert text.count(reasons[0]) == 1
    read = decode(text)
    assert read == run
    # They share nothing: what happens to one happens to it alone.
    read.hosts["edge-0001"].reasons.append("another")
    read.hosts["edge-0001"].reach["docker.io"] = 1
    assert (read.hosts["edge-0002"].reasons, read.hosts["edge-0002"].reach) == (reasons, {})


@pytest.mark.parametrize("field", [item.name for item in dataclasses.fields(Host)])
def test_no_field_of_a_host_is_lost(field: str) -> None:
    kept = {bool: lambda old: not old, int: lambda old: old + 1, list: lambda _old: ["x"], dict: lambda _old: {"x": 1}}
    changed = Host()
    old = getattr(changed, field)
    setattr(changed, field, kept.get(type(old), lambda _old: "other")(old))
    run = Run(hosts={"a": Host(), "b": changed, "c": Host()})
    assert decode(encode(run)) == run
    assert decode(encode(run)).hosts["a"] != changed


def test_reading_needs_no_lock(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path), "c")
    assert ledger.read() == Run()
    with ledger.opened() as run:
        run.shown = True
    with ledger.opened() as run:
        run.controller = 7
        assert ledger.read() == Run(shown=True)


def test_who_waits_behind_many_looks_when_its_turn_is_near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten before it: the changes of seven of them are not looked at."""
    # However slow this machine is, the time at which it looks anyway does not come.
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    ledger, looks, answers = Ledger(str(tmp_path), "c"), [], []

    def others(_seconds: float) -> None:
        answers.append(ledger.first_answer(lambda run: run.failed.update(n=str(len(answers))) or "its turn"))

    def ask(_run: Run) -> str | None:
        looks.append(len(answers))
        return "mine" if len(answers) >= 10 else None

    assert ledger.first_answer(ask, lambda _run: 10 - len(answers), sleep=others) == "mine"
    assert looks == [0, 7, 8, 9, 10]
