# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A commit and the other servers: when they are asked, how long they are waited for, what is left undone without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import Failure, Refused

from tests.conftest import COLLECTIONS
from tests.unit.plugins.module_utils._node.fake_node import AWAY, WELL, FakeK3s, Node, wanted


@pytest.fixture
def cluster(node: Node, k3s: FakeK3s) -> Node:
    """A server of three with the state one in force and two staged."""
    one, two = wanted(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    k3s.others = list(WELL)
    node.apply(one)
    node.stage(two)
    k3s.looks = k3s.restarts = 0
    return node


def _away(k3s: FakeK3s, *looks: int) -> None:
    """Another server is away in these looks, counted from 1."""

    def at(number: int) -> None:
        k3s.others = [WELL[0], AWAY] if number in looks else list(WELL)

    k3s.when_looked_at = at


def test_nothing_is_touched_while_a_majority_is_not_proven(cluster: Node, k3s: FakeK3s) -> None:
    k3s.others = [WELL[0], AWAY]
    before, began = cluster.tree(), cluster.time
    with pytest.raises(Refused, match=r"Within 60 s .*: server-3 \(its etcd .*k3s_registries_force: true"):
        cluster.commit()
    assert (cluster.tree(), k3s.restarts) == (before, 0)
    assert 60 <= cluster.time - began < 62
    assert cluster.last.result["waited_for"] == ["server-3 (its etcd does not answer: no answer in time)"]
    cluster.commit(force=True)
    assert k3s.restarts == 1


def test_a_server_that_comes_back_in_time_is_waited_for(cluster: Node, k3s: FakeK3s) -> None:
    _away(k3s, *range(1, 21))
    told: list[str] = []
    result = cluster.commit(tell=told.append)
    assert (result["step"], k3s.restarts) == ("done", 1)
    assert result["waited_for"] == ["server-3 (its etcd does not answer: no answer in time)"]
    assert told == ["waiting up to 60 s before the restart for server-3 (its etcd does not answer: no answer in time)"]


def test_the_others_are_asked_once_more_right_before_the_restart(cluster: Node, k3s: FakeK3s) -> None:
    _away(k3s, *range(2, 100))
    with pytest.raises(Failure, match=r"k3s was not restarted: .*server-3 .*The node was put back as it was and is he"):
        cluster.commit()
    assert k3s.restarts == 0
    assert b"https://one" in cluster.registries()
    assert cluster.memory_is_at_rest()


def test_the_time_for_it_is_given_once(cluster: Node, k3s: FakeK3s) -> None:
    _away(k3s, *range(1, 41), *range(42, 200))
    began = cluster.time
    with pytest.raises(Failure, match="was not restarted"):
        cluster.commit()
    assert cluster.time - began < 62


def test_announce_ends_at_once_with_nothing_done(cluster: Node, k3s: FakeK3s) -> None:
    before, began = cluster.tree(), cluster.time
    k3s.others = [WELL[0], AWAY]
    result = cluster.commit(announce=True)
    assert result["waiting_for"] == ["server-3 (its etcd does not answer: no answer in time)"]
    assert (cluster.tree(), k3s.restarts, k3s.looks, cluster.time) == (before, 0, 1, began)
    k3s.others = list(WELL)
    assert cluster.commit(announce=True)["step"] == "done"


def test_quorum_timeout_0_asks_once(cluster: Node, k3s: FakeK3s) -> None:
    _away(k3s, 1)
    with pytest.raises(Refused, match="Within 0 s"):
        cluster.commit(quorum_timeout=0.0)
    assert k3s.looks == 1


def test_the_restart_of_a_rollback_is_proven_too(cluster: Node, k3s: FakeK3s) -> None:
    k3s.ill.add("two")
    _away(k3s, *range(3, 10))
    with pytest.raises(Failure, match="The node was put back as it was and is healthy"):
        cluster.commit(restart_timeout=30.0)
    assert k3s.restarts == 2
    assert k3s.looks == 10


def test_without_proof_a_rollback_leaves_the_old_files_and_says_so(cluster: Node, k3s: FakeK3s) -> None:
    k3s.ill.add("two")
    _away(k3s, *range(3, 1000))
    with pytest.raises(Failure, match=r"old files are back, but k3s was not restarted with them.*server-3 .*run again"):
        cluster.commit(restart_timeout=30.0)
    assert k3s.restarts == 1
    assert b"https://one" in cluster.registries()
    assert not cluster.last.result["rolled_back"]
    assert not cluster.memory_is_at_rest(), "the next run has to find it"
    # The next run does what is left, the restart.
    _away(k3s)
    cluster.apply(wanted(cluster.paths, "one"))
    assert k3s.restarts == 2
    assert "one" in k3s.loaded_text()


def test_putting_the_file_of_a_hanging_server_right_needs_no_proof(cluster: Node, k3s: FakeK3s) -> None:
    Path(cluster.paths.registries_yaml).write_bytes(b"broken: [\n")
    k3s.restart()
    assert k3s.hanging
    k3s.others = [AWAY, AWAY]
    cluster.stage(wanted(cluster.paths, "two"))
    k3s.restarts = 0
    assert cluster.commit()["step"] == "done"
    assert (k3s.restarts, k3s.looks) == (0, 0)


def test_a_hanging_server_that_has_read_its_file_and_lacks_the_others_lets_them_have_their_turn(
    cluster: Node, k3s: FakeK3s
) -> None:
    """Three servers hang, each without etcd: the first is not ready before the second has read its file too."""
    Path(cluster.paths.registries_yaml).write_bytes(b"broken: [\n")
    k3s.restart()
    k3s.others = [AWAY, AWAY]
    k3s.ill.add("two")
    cluster.stage(wanted(cluster.paths, "two"))
    k3s.restarts, began = 0, cluster.time
    result = cluster.commit()
    assert result["step"] == "waiting_for_servers"
    assert "not ready without other servers: server-3" in result["warnings"][-1]
    assert (k3s.restarts, cluster.memory_is_at_rest()) == (0, True)
    assert cluster.time - began < 35


def test_an_agent_asks_nobody(cluster: Node, k3s: FakeK3s) -> None:
    agent = Node(cluster.paths.__class__(**{**cluster.paths.__dict__, "node_role": "agent"}), k3s)
    agent.commit()
    assert (k3s.restarts, k3s.looks) == (1, 0)


def test_nobody_else_loads_the_code_that_asks() -> None:
    """An unchanged node must not pay for it: not even the import."""
    program = (
        "import sys; from ansible_collections.k3sfleet.registries.plugins.module_utils._node import commit, stage; "
        "print([name for name in sys.modules if name.split('.')[-1] in ('ssl', 'http', 'members', 'proof', 'quorum', "
        "'admin', 'etcd', 'grpc_call')])"
    )
    environment = dict(os.environ, PYTHONPATH=str(COLLECTIONS))
    outcome = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert outcome.stdout.strip() == "[]"
