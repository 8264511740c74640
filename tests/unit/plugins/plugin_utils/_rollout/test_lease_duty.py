# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host of each cluster releases the Lease, whoever comes while it is about to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator

from ansible_collections.k3sfleet.registries.plugins.action.k3s_rollout_lease import ActionModule
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import lease_duty, plan
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import Host, Lease, Run


class TheLedger:
    """Of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @contextmanager
    def opened(self) -> Iterator[Run]:
        yield self.run


class Task(ActionModule):  # type: ignore[misc]
    """The task that releases: what the server is asked is noted."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._task = type("task", (), {"check_mode": False})()

    def _module(self, arguments: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        self.asked.append(arguments["holder"])
        return {"lease": "released"}

    def release(self, run: Run) -> str:
        result: dict[str, Any] = {}
        self._release(TheLedger(run), {}, result, {})
        return str(result["lease"])


def a_run(**progress: str) -> Run:
    hosts = {host: Host(restart=True, progress=said) for host, said in progress.items()}
    return Run(hosts=hosts, lease=Lease(holder="this run", held=True, server="s1"))


def test_whoever_ends_last_releases_it_and_nobody_else() -> None:
    run = a_run(s1=plan.ENDED, a1="")
    assert lease_duty.leave(run, "s1") == ""
    run.hosts["a1"].progress = plan.ENDED
    assert lease_duty.leave(run, "a1") == "s1"
    assert lease_duty.leave(run, "s1") == ""


def test_a_host_that_comes_in_between_takes_the_duty_over() -> None:
    """The free strategies: Ansible asks for the task, then for the host to delegate it to, and then it runs."""
    run, task = a_run(s1=plan.ENDED, a1=plan.ENDED), Task()
    assert lease_duty.leave(run, "a1") == "s1"
    run.hosts["a2"] = Host(restart=True)
    assert lease_duty.leave(run, "a1") == "s1", "a task without a host to delegate it to fails"
    assert (task.release(run), task.asked, run.lease.held) == ("kept", [], True)
    assert lease_duty.leave(run, "a2") == ""
    run.hosts["a2"].progress = plan.ENDED
    assert lease_duty.leave(run, "a2") == "s1"
    assert (task.release(run), task.asked, run.lease.held) == ("released", ["this run"], False)


def test_one_that_has_come_and_gone_in_between_leaves_it_to_the_first() -> None:
    run, task = a_run(a1=plan.ENDED), Task()
    assert lease_duty.leave(run, "a1") == "s1"
    run.hosts["a2"] = Host(restart=True, progress=plan.ENDED)
    assert lease_duty.leave(run, "a2") == ""
    assert task.release(run) == "released"
    assert lease_duty.leave(run, "a2") == ""
