# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that come one after the other, whoever looks at the run in between."""

from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path
from typing import Any, Sequence

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import arrivals
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.arrivals import Arrival
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import Host, Run
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples

_NAMES = ("a", "b", 'an "odd"\tname\n', "ü")
_names = st.sampled_from(_NAMES)
_hosts = st.builds(
    Host, role=st.sampled_from(["server", "agent"]), restart=st.booleans(), reasons=st.lists(st.text(max_size=3)),
    embedded_mirror=st.none() | st.just("127.0.0.1:6443"), reach=st.dictionaries(st.text(max_size=3), st.booleans()),
)  # fmt: skip
_arrivals = st.builds(
    Arrival, name=_names, began=st.floats(0, 9), answered=st.booleans(), host=st.none() | _hosts,
    failed=st.text(max_size=3), refused=st.booleans(), unreachable=st.booleans(), goes_on=st.booleans(),
    in_order=st.booleans(), service_state=st.sampled_from(["", "running", "absent"]), follows=st.booleans(),
    controller=st.integers(0, 3), canary=st.lists(_names, max_size=2),
)  # fmt: skip


class _Model:
    """Who has come, as the run itself would have it."""

    def __init__(self) -> None:
        self.run = Run()

    def last(self, arrival: Arrival, hosts: Sequence[str]) -> bool:
        """Enter one; whether all of ``hosts`` have come with it."""
        arrivals.enter(self.run, arrival)
        return arrival.name in hosts and set(hosts) <= set(self.run.arrived)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.tuples(_arrivals, st.sampled_from(["", "", "opened", "read"]))), st.lists(_names, unique=True))
def test_a_run_is_the_same_whoever_looks_in_between(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Arrival, str]], hosts: list[str]
) -> None:
    ledger, model = Ledger(str(tmp_path_factory.mktemp("run")), "c"), _Model()
    for arrival, look in steps:
        is_last = model.last(arrival, hosts)
        with ledger.entered(arrival, hosts) as run:
            assert run == (model.run if is_last else None)
        if look == "opened":
            with ledger.opened() as run:
                assert run == model.run
        elif look == "read":
            assert [ledger.read()] == ledger.all() == [model.run]
    assert ledger.read() == model.run


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(_arrivals, max_size=3))
def test_a_line_is_read_as_it_was_written(given_arrivals: list[Arrival]) -> None:
    lines = b"".join(map(arrivals.encode, given_arrivals))
    assert lines.count(b"\n") == len(given_arrivals)
    assert arrivals.decode(lines) == given_arrivals


def _staged(name: str, **more: Any) -> Arrival:
    return Arrival(name, 1.0, answered=True, host=Host(), in_order=True, **more)


def _enter(folder: str, names: Sequence[str], hosts: Sequence[str], last: Any) -> None:
    for name in names:
        with Ledger(folder, "c").entered(_staged(name), hosts) as run:
            if run is not None:
                last.put(len(run.hosts))


def test_of_many_processes_one_is_the_last_and_nobody_is_lost(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    hosts, last = ["edge-%03d" % number for number in range(200)], fork.Queue()
    workers = [fork.Process(target=_enter, args=(str(tmp_path), hosts[part::4], hosts, last)) for part in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert last.get(timeout=10) == 200
    assert last.empty()


def test_a_second_pass_has_a_last_one_of_its_own(tmp_path: Path) -> None:
    ledger, seen = Ledger(str(tmp_path), "c"), []
    for name in ("a", "b", "b", "a", "a", "b"):
        with ledger.entered(_staged(name), ["a", "b"]) as run:
            seen.append(run is not None)
    assert seen == [False, True] * 3


@pytest.mark.parametrize(
    ("arrival", "goes_on"),
    [
        (_staged("a"), False),
        (_staged("a", goes_on=True), True),
        # Whoever runs on by itself does not know of the others.
        (Arrival("a", 1.0, answered=True, host=Host(), in_order=False), True),
        (Arrival("a", 1.0, unreachable=True, in_order=True), False),
    ],
)
def test_whether_anything_is_left_to_do_is_known_without_reading(
    tmp_path: Path, arrival: Arrival, goes_on: bool
) -> None:
    assert not Ledger.goes_on(str(tmp_path))
    with Ledger(str(tmp_path), "one").entered(arrival, ["a", "b"]):
        pass
    with Ledger(str(tmp_path), "two").entered(_staged("b"), ["a", "b"]):
        pass
    assert Ledger.goes_on(str(tmp_path)) == goes_on


def test_a_full_disk_leaves_no_half_of_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, write = Ledger(str(tmp_path), "c"), os.write
    with ledger.entered(_staged("a"), ["a", "b"]):
        pass
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:7]))
    with pytest.raises(OSError, match="cannot write all of it") as problem, ledger.entered(_staged("b"), ["a", "b"]):
        pass
    assert problem.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert list(ledger.read().hosts) == ["a"]
    with ledger.entered(_staged("b"), ["a", "b"]) as run:
        assert run is not None
        assert list(run.hosts) == ["a", "b"]


def test_whoever_reads_while_a_line_is_written_sees_those_before_it(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path), "c")
    with ledger.entered(_staged("a"), ["a", "b"]):
        pass
    [path] = tmp_path.glob("*.arrivals")
    with path.open("ab") as handle:
        handle.write(arrivals.encode(_staged("b"))[:-5])
    assert list(ledger.read().hosts) == ["a"]
