# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan and the progress of a rollout, as they are printed."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import plan
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import ENDED, LEFT, Host, Run


def a_run() -> Run:
    return Run(
        hosts={
            "agent-1": Host(reasons=["a"]),
            "server-1": Host(role="server", reasons=["a"]),
            "agent-2": Host(restart=False),
            "agent-3": Host(reasons=["b"]),
        }
    )


def test_servers_come_first_and_only_who_needs_it() -> None:
    assert plan.order(a_run()) == ["server-1", "agent-1", "agent-3"]


def test_the_plan_names_order_number_and_reasons() -> None:
    assert plan.plan_lines(a_run(), "2 at a time") == [
        "Rollout plan: 3 of 4 nodes restart",
        "  servers, one at a time: server-1",
        "  agents, 2 at a time: agent-1, agent-3",
        "  because on server-1, agent-1: a",
        "  because on agent-3: b",
    ]


def test_the_plan_says_who_is_cordoned_if_anybody_restarts() -> None:
    run, said = a_run(), "  each is cordoned before its restart, and uncordoned when it is healthy"
    assert said in plan.plan_lines(run, "2 at a time", cordon=True)
    assert said not in plan.plan_lines(run, "2 at a time")
    for host in run.hosts.values():
        host.live = True
    assert said not in plan.plan_lines(run, "2 at a time", cordon=True)


def test_the_plan_has_the_phases_each_in_the_order_of_the_play() -> None:
    run = a_run()
    run.canary = ["agent-3", "server-1"]
    run.order = ["agent-3", "server-2", "server-1", "agent-1", "agent-2", "server-3"]
    run.hosts["server-2"] = Host(role="server", live=True)
    run.hosts["server-3"] = Host(role="server")
    assert plan.plan_lines(run, "1 at a time")[:5] == [
        "Rollout plan: 4 of 6 nodes restart",
        "  first, as the canary, one at a time: agent-3, server-1",
        "  without a restart: server-2",
        "  servers, one at a time: server-3",
        "  agents, 1 at a time: agent-1",
    ]


def test_the_plan_of_a_batch_has_the_hosts_of_that_batch() -> None:
    run = a_run()
    run.hosts["server-1"].progress = ENDED
    run.order = ["agent-3", "agent-2"]
    assert plan.plan_lines(run, "1 at a time")[:2] == [
        "Rollout plan: 1 of 2 nodes restart",
        "  agents, 1 at a time: agent-3",
    ]


def test_progress_counts_what_has_ended() -> None:
    run = a_run()
    run.hosts["server-1"].progress = ENDED
    result = {"step": "done", "restarted": True, "seconds": 4.21, "canaries": [{"image": "a:1"}]}
    line = plan.progress_line(run, "server-1", result)
    assert line == "[1/3] server-1 restarted and healthy after 4.2 s, pulled a:1"
    failed = {"failed": True, "seconds": 9, "rolled_back": True, "step": "healthy"}
    line = plan.progress_line(run, "x", failed)
    assert line == "[1/3] x FAILED after 9.0 s, rolled back (last step: healthy)"


def test_who_has_ended_or_was_left_is_not_to_come() -> None:
    run = a_run()
    assert plan.to_come(run) == ["agent-1", "server-1", "agent-3"]
    run.hosts["server-1"].progress = ENDED
    run.hosts["agent-3"].progress = LEFT
    assert plan.to_come(run) == ["agent-1"]


def _hanging() -> Run:
    run = a_run()
    run.hosts["server-2"] = Host(
        role="server", reasons=["x"], ill="containerd does not answer", explained=True, member="server-2-1a2b3c4d"
    )
    run.order = [*run.order, "server-2"] if run.order else []
    return run


def test_servers_that_hang_on_their_file_come_before_other_servers() -> None:
    """etcd lacks their votes until then, so that no other server may restart."""
    run = _hanging()
    assert plan.phase(run, "server-2") == plan.HANGING
    assert [host for host in plan.order(run) if host.startswith("server")] == ["server-2", "server-1"]


def test_who_hangs_on_a_file_that_is_yet_to_be_replaced() -> None:
    run = _hanging()
    assert plan.hanging(run) == ["server-2-1a2b3c4d"]
    run.hosts["server-2"].progress = ENDED
    assert plan.hanging(run) == []


def test_agents_are_told_of_the_embedded_registry_if_the_servers_agree() -> None:
    run = _hanging()
    assert plan.embedded_mirror(run) is None
    for name in ("server-1", "server-2"):
        run.hosts[name].embedded_mirror = "127.0.0.1:7443"
    assert plan.embedded_mirror(run) == "127.0.0.1:7443"
    run.hosts["server-2"].embedded_mirror = ""
    assert plan.embedded_mirror(run) is None


def test_waiting_for_other_servers_is_said_before_and_after() -> None:
    away = "server-3 (its API is not ready)"
    assert plan.waiting_line("server-1", 60, [away]) == "server-1 waits up to 60 s before its restart for " + away
    run = a_run()
    run.hosts["server-1"].progress = ENDED
    line = plan.progress_line(run, "server-1", {"step": "done", "restarted": True, "seconds": 12, "waited_for": [away]})
    assert line == "[1/3] server-1 restarted and healthy after 12.0 s, after waiting for " + away
