# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose turn it is: halting, preflight, the plan and the progress in words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.k3sfleet.registries.plugins.filter.batch_size import batch_size
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import plan


def state(**failed: str) -> dict[str, Any]:
    well = {"healthy": True, "sentence": "node Ready", "explained": False}
    return {
        "staged": {
            "agent-1": {"role": "agent", "restart": True, "reasons": ["a"], "health": well},
            "server-1": {"role": "server", "restart": True, "reasons": ["a"], "health": well},
            "agent-2": {"role": "agent", "restart": False, "reasons": [], "health": {}},
            "agent-3": {"role": "agent", "restart": True, "reasons": ["b"], "health": well},
        },
        "failed": failed,
        "shown": False,
    }


def test_servers_come_first_and_only_who_needs_it() -> None:
    assert plan.to_commit(state()) == ["server-1", "agent-1", "agent-3"]


@pytest.mark.parametrize(("failures", "allowed", "go"), [(0, 0, True), (1, 0, False), (1, 1, True), (2, 1, False)])
def test_more_than_max_failures_leaves_the_rest_untouched(failures: int, allowed: int, go: bool) -> None:
    failed = {"node-%d" % number: "why" for number in range(failures)}
    turn = plan.turn({**state(), "failed": failed}, "agent-1", allowed, force=False)
    assert turn.go is go
    if not go:
        assert "untouched" in turn.why
        assert "node-0" in turn.why


def test_an_ill_node_stops_the_rollout_before_the_first_restart() -> None:
    ill = state()
    ill["staged"]["agent-3"]["health"] = {
        "healthy": False,
        "sentence": "containerd does not answer",
        "explained": False,
    }
    turn = plan.turn(ill, "server-1", 0, force=False)
    assert not turn.go
    assert "agent-3: containerd does not answer" in turn.why
    assert "k3s_registries_force" in turn.why
    assert plan.turn(ill, "server-1", 0, force=True).go


def test_an_illness_that_the_pending_change_explains_does_not() -> None:
    ill = state()
    ill["staged"]["agent-3"]["health"] = {"healthy": False, "sentence": "x", "explained": True}
    assert plan.turn(ill, "server-1", 0, force=False).go


def test_the_plan_names_order_batch_and_reasons() -> None:
    assert plan.plan_lines(state(), "25%") == [
        "Rollout plan: 3 of 4 nodes restart",
        "  servers, one at a time: server-1",
        "  agents, 25% at a time: agent-1, agent-3",
        "  because on server-1, agent-1: a",
        "  because on agent-3: b",
    ]


def test_the_plan_has_the_canary_first_and_the_order_of_the_play() -> None:
    some = {**state(), "canary": ["agent-3"]}
    for position, host in enumerate(["server-2", "server-1", "agent-1", "agent-2", "agent-3"]):
        some["staged"].setdefault(host, dict(some["staged"]["server-1"]))["position"] = position
    assert plan.plan_lines(some, "1")[:4] == [
        "Rollout plan: 4 of 5 nodes restart",
        "  first, as the canary, one at a time: agent-3",
        "  servers, one at a time: server-2, server-1",
        "  agents, 1 at a time: agent-1",
    ]


def test_progress_counts_what_has_ended() -> None:
    some = state()
    some["staged"]["server-1"]["ended"] = True
    line = plan.progress_line(
        plan.ended(some), "server-1", {"restarted": True, "seconds": 4.21, "canaries": [{"image": "a:1"}]}
    )
    assert line == "[1/3] server-1 restarted and healthy after 4.2 s, pulled a:1"
    failed = {"failed": True, "seconds": 9, "rolled_back": True, "step": "healthy"}
    line = plan.progress_line(plan.ended(some), "x", failed)
    assert line == "[1/3] x FAILED after 9.0 s and put back as it was (last step: healthy)"


@pytest.mark.parametrize(
    ("batch", "total", "size"), [("1", 9, 1), (3, 9, 3), ("25%", 9, 2), ("1%", 9, 1), ("100%", 9, 9), ("50%", 0, 1)]
)
def test_batch_size(batch: Any, total: int, size: int) -> None:
    assert batch_size(batch, total) == size


@pytest.mark.parametrize("batch", ["0", "-1", "101%", "0%", "many", "", "1.5", None])
def test_batch_size_refuses(batch: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="k3s_registries_agent_batch"):
        batch_size(batch, 10)


def test_who_has_ended_or_was_left_is_not_to_come() -> None:
    under_way = state()
    assert plan.to_come(under_way) == ["server-1", "agent-1", "agent-3"]
    under_way["staged"]["server-1"]["ended"] = True
    under_way["staged"]["agent-3"]["left"] = True
    assert plan.to_come(under_way) == ["agent-1"]


def test_a_refused_configuration_anywhere_restarts_nothing() -> None:
    turn = plan.turn({**state(), "refused": {"agent-2": True}}, "server-1", 5, force=True)
    assert not turn.go
    assert "agent-2" in turn.why
    assert "untouched" in turn.why


def _hanging(health: Any = None) -> dict[str, Any]:
    some = state()
    some["staged"]["server-2"] = dict(some["staged"]["server-1"], position=7)
    some["staged"]["server-2"]["health"] = {
        "healthy": False, "sentence": "containerd does not answer", "explained": True, "member": "server-2-1a2b3c4d",
    }  # fmt: skip
    return some


def test_servers_that_hang_on_their_file_come_before_other_servers() -> None:
    """etcd lacks their votes until then, so that no other server may restart."""
    assert [host for host in plan.to_commit(_hanging()) if host.startswith("server")] == ["server-2", "server-1"]


def test_who_hangs_on_a_file_that_is_yet_to_be_replaced() -> None:
    some = _hanging()
    assert plan.hanging(some) == ["server-2-1a2b3c4d"]
    some["staged"]["server-2"]["ended"] = True
    assert plan.hanging(some) == []


def test_waiting_for_other_servers_is_said_before_and_after() -> None:
    away = "server-3 (its API is not ready)"
    assert plan.waiting_line("server-1", 60, [away]) == "server-1 waits up to 60 s before its restart for " + away
    line = plan.progress_line(
        plan.Turn(True, 1, 3), "server-1", {"restarted": True, "seconds": 12, "waited_for": [away]}
    )
    assert line == "[1/3] server-1 restarted and healthy after 12.0 s, after waiting for " + away
