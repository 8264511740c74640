# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's lease, as the hosts of a play ask for it, and what a commit is without one."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.k3sfleet.registries.plugins.action import k3s_rollout, k3s_rollout_lease
from ansible_collections.k3sfleet.registries.plugins.modules import k3s_rollout as rollout_docs
from ansible_collections.k3sfleet.registries.plugins.modules import k3s_rollout_lease as lease_docs
from ansible_collections.k3sfleet.registries.plugins.plugin_utils import _action
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import lease_duty, lease_keeper
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.patience import Patience
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import Host

GROUPS = {"server": ["s-1", "s-2", "s-3"], "west": ["w-1"], "agent": ["a-1"]}
AWAY = {"failed": True, "lease": "unavailable", "msg": "the API does not show the Lease"}
HELD = {
    "failed": True,
    "lease": "held_by_another",
    "msg": "the cluster is being worked on by somebody",
    "expires_in": 900,
}


class Play:
    """Tasks of one run. ``answers`` is what the module says through each server; what is not named takes the lease."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, Any] = {}
        self.called: list[tuple[str, str]] = []
        self.sent: list[dict[str, Any]] = []
        self.keepers = 0
        self.said: list[str] = []
        monkeypatch.setattr(_action.C, "DEFAULT_LOCAL_TMP", str(folder))
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments, **_named: {})
        monkeypatch.setattr(lease_keeper, "leave_behind", self._leave_behind)
        monkeypatch.setattr(_action.display, "display", self.said.append)

    def _leave_behind(self, *_arguments: Any, **_named: Any) -> None:
        self.keepers += 1

    def stage(self, *hosts: str, cluster: str = "server/agent", ill: str = "", member: str = "") -> None:
        with _action.ledger_of({"cluster": cluster}).opened() as run:
            run.arrived.update(dict.fromkeys(hosts, "running"))
            for host in hosts:
                role = "agent" if host.startswith("a") else "server"
                run.hosts[host] = Host(role=role, reasons=["x"], ill=ill, explained=bool(ill), member=member)

    def task(
        self, operation: str, host: str, through: str = "", check: bool = False, strategy: str = "", **arguments: Any
    ) -> Any:
        arguments = {"node_role": "server", "cluster": "server/agent", **arguments}
        kind = k3s_rollout if operation == "commit" else k3s_rollout_lease
        if operation == "commit":
            arguments["staged"] = {"restart": True, "service": "k3s"}
        else:
            arguments["state"] = operation
        task = SimpleNamespace(args=arguments, delegate_to=through or None, check_mode=check, action=kind.__name__)
        task._parent = SimpleNamespace(_play=SimpleNamespace(strategy=strategy))
        action = kind.ActionModule(task, None, None, None, None, None)

        def module(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            asked = through or host
            self.called.append((operation, asked))
            self.sent.append(module_args)
            answer = self.answers.get(asked)
            if isinstance(answer, list):
                answer = answer.pop(0)
            if isinstance(answer, Exception):
                raise answer
            if operation != "commit":
                return dict(answer or {"lease": "taken" if operation == "held" else "released"})
            return dict(answer or {"restarted": True, "step": "done"})

        action._execute_module = module
        hosts = [*GROUPS["server"], *GROUPS["agent"]]
        batch = [name for members in GROUPS.values() for name in members]
        return action.run(
            task_vars={
                "inventory_hostname": host,
                "groups": GROUPS,
                "ansible_play_batch": batch,
                "ansible_play_hosts": hosts,
            }
        )


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    return Play(tmp_path, monkeypatch)


def test_of_all_hosts_that_ask_the_first_takes_it_and_the_last_gives_it_back(play: Play) -> None:
    play.stage("s-1", "a-1")
    assert play.task("held", "s-1", "s-2")["lease"] == "taken"
    held = {
        "changed": False, "lease": "held", "server": "s-2", "previous": "", "renewed": "", "expires_in": 0,
        "waits_for": [],
    }  # fmt: skip
    assert play.task("held", "a-1", "s-2") == held
    play.task("commit", "s-1")
    kept = play.task("released", "s-1", "s-2")
    assert (kept["lease"], kept["waits_for"]) == ("kept", ["a-1"])
    play.task("commit", "a-1")
    play.task("released", "a-1", "s-2")
    play.task("released", "s-1", "s-2")
    assert play.called == [("held", "s-2"), ("commit", "s-1"), ("commit", "a-1"), ("released", "s-2")]
    assert play.keepers == 1


def test_a_commit_without_the_lease_is_refused(play: Play) -> None:
    play.stage("s-1")
    result = play.task("commit", "s-1")
    assert (result["failed"], result["untouched"]) == (True, True)
    assert "k3s_rollout_lease" in result["msg"]
    assert play.called == []


def test_every_cluster_of_a_play_has_a_lease_of_its_own(play: Play) -> None:
    play.stage("s-1")
    play.stage("w-1", cluster="west/east")
    play.answers["w-1"] = HELD
    assert play.task("held", "s-1", "s-1")["lease"] == "taken"
    refused = play.task("held", "w-1", "w-1", cluster="west/east")
    assert "worked on by somebody" in refused["msg"]
    assert play.task("commit", "w-1", cluster="west/east")["untouched"]
    assert play.task("commit", "s-1")["restarted"]
    assert ("commit", "w-1") not in play.called


@pytest.mark.parametrize("away", [AWAY, AnsibleConnectionFailure("no route to host")])
def test_through_another_server_when_the_first_does_not_answer(play: Play, away: Any) -> None:
    play.stage("a-1", "a-2")
    play.answers.update({"s-1": away, "s-2": away})
    for host in ("a-1", "a-2"):
        assert play.task("held", host, "s-1")["lease"] == "elsewhere"
    assert play.task("held", "a-1", "s-2")["lease"] == "elsewhere"
    assert play.task("held", "a-1", "s-3")["server"] == "s-3"
    assert play.task("held", "a-2", "s-2")["server"] == "s-3"
    assert play.called == [("held", "s-1"), ("held", "s-2"), ("held", "s-3")], "none is asked twice"
    assert len([line for line in play.said if line.startswith("The lease cannot be taken through s-")]) == 2


def test_when_no_server_answers_nothing_is_restarted_unless_forced(play: Play) -> None:
    play.stage("a-1", "a-2")
    play.answers.update(dict.fromkeys(GROUPS["server"], AWAY))
    play.task("held", "a-1", "s-1")
    play.task("held", "a-1", "s-2")
    for host in ("a-1", "a-2"):
        refused = play.task("held", host, "s-3")
        assert (refused["failed"], "k3s_registries_force: true" in refused["msg"]) == (True, True)
    assert len(play.called) == 3


def test_a_run_that_lives_is_not_gone_around_through_another_server(play: Play) -> None:
    play.stage("a-1")
    play.answers["s-1"] = HELD
    assert play.task("held", "a-1", "s-1")["failed"]
    assert play.task("held", "a-1", "s-2")["failed"]
    assert play.called == [("held", "s-1")]


def test_force_and_an_illness_that_the_run_mends_go_on_without(play: Play) -> None:
    play.answers.update(dict.fromkeys(GROUPS["server"], AWAY))
    play.stage("s-1", ill="x")
    for server in GROUPS["server"]:
        result = play.task("held", "s-1", server)
    assert "because the servers themselves are unhealthy" in result["warnings"][0]
    assert play.task("commit", "s-1")["untouched"] is False
    play.answers["w-1"] = HELD
    play.stage("w-1", cluster="west/east")
    forced = play.task("held", "w-1", "w-1", cluster="west/east", force=True)
    assert "k3s_registries_force is set" in forced["warnings"][0]


def test_a_server_that_went_away_meanwhile_does_not_fail_the_host_that_gives_back(play: Play) -> None:
    play.stage("a-1")
    play.task("held", "a-1", "s-1")
    play.task("commit", "a-1")
    play.answers["s-1"] = AnsibleConnectionFailure("no route to host")
    released = play.task("released", "a-1", "s-1")
    assert not released.get("failed")
    assert released["lease"] == "unavailable"
    assert "it expires by itself: no route to host" in released["msg"]


@pytest.mark.parametrize("in_order", [True, False])
def test_one_host_takes_the_lease_and_one_releases_it_for_all(play: Play, in_order: bool) -> None:
    play.stage("s-1", "a-1")
    ledger = _action.ledger_of({"cluster": "server/agent"})
    with ledger.opened() as run:
        run.in_order = in_order
        assert lease_duty.join(run, "s-1")
        assert lease_duty.join(run, "s-1"), "asked twice, it is the same"
        # Under a free strategy nobody waits for the first, so each asks until the lease is held.
        assert lease_duty.join(run, "a-1") is not in_order
        assert run.hosts["a-1"].ready
        assert lease_duty.leave(run, "s-1") == ""
    play.task("held", "s-1", "s-2")
    with ledger.opened() as run:
        assert not lease_duty.join(run, "a-1")
        assert lease_duty.leave(run, "s-1") == "", "others are to come"
    play.task("commit", "s-1")
    play.task("commit", "a-1")
    with ledger.opened() as run:
        assert [lease_duty.leave(run, host) for host in ("a-1", "s-1", "a-1")] == ["s-2", "", "s-2"]


def test_what_is_documented_is_always_there(play: Play) -> None:
    returned = {
        name: set(yaml.safe_load(module.RETURN)) for name, module in (("commit", rollout_docs), ("lease", lease_docs))
    }
    play.stage("s-1", "a-1")
    play.answers["s-3"] = HELD
    seen = {"lease": [play.task("held", "s-1", "s-3"), play.task("held", "s-1", "s-2")]}
    seen["commit"] = [play.task("commit", "s-1"), play.task("commit", "s-1", check=True)]
    play.stage("s-1", "a-1")
    play.task("held", "s-1", "s-2")
    play.answers["a-1"] = {"failed": True, "msg": "x"}
    seen["commit"] += [play.task("commit", "a-1"), play.task("commit", "s-1")]
    seen["lease"].append(play.task("released", "s-1", "s-2"))
    for kind, results in seen.items():
        for result in results:
            assert returned[kind] <= set(result), result
    for docs in (rollout_docs, lease_docs):
        assert {value["returned"] for value in yaml.safe_load(docs.RETURN).values()} == {"always"}


def test_the_last_host_to_end_sums_the_run_up(play: Play) -> None:
    play.stage("s-1", "s-2", "s-3", "a-1")
    with _action.ledger_of({"cluster": "server/agent"}).opened() as run:
        run.hosts["s-3"].restart = run.hosts["s-3"].changed = False
        run.began = time.time()
    play.task("held", "s-1", "s-1")
    play.answers["s-1"] = {"changed": True, "restarted": True, "step": "done"}
    play.answers["s-2"] = {"failed": True, "msg": "never ready", "rolled_back": True}
    play.task("commit", "s-1")
    play.task("commit", "s-2")
    assert not [line for line in play.said if line.startswith("Summary")]
    play.task("commit", "a-1")
    assert play.said[-3].startswith(
        "Summary of cluster server/agent: 4 nodes: 1 changed (1 restarted, 0 without a restart), 1 failed, "
        "1 left as they were, 0."
    )
    assert play.said[-2:] == ["  failed: s-2", "  left as they were: a-1"]


def test_a_worker_that_outlives_its_controller_begins_nothing(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    play.stage("s-1")
    play.task("held", "s-1", "s-1")
    monkeypatch.setattr(lease_keeper, "lives", lambda _pid: False)
    left = play.task("commit", "s-1")
    assert (left["failed"], left["untouched"]) == (True, True)
    assert "the run that asked for it has ended" in left["msg"]
    assert play.called == [("held", "s-1")]


def test_a_host_that_never_comes_is_named_and_not_waited_for_for_ever(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    play.stage("s-1", "s-2")
    for host in ("s-1", "s-2"):
        play.task("held", host, "s-1")
    monkeypatch.setattr(k3s_rollout.patience, "Patience", partial(Patience, 0.2))
    assert play.task("commit", "s-2", strategy="ansible.builtin.linear")["restarted"]
    assert "s-2 goes before s-1, for which it has waited in vain" in play.said


def test_the_number_of_agents_at_once_is_a_number_or_a_percentage(play: Play) -> None:
    play.stage("a-1")
    play.task("held", "a-1", "s-1")
    with pytest.raises(AnsibleActionFail, match="agent_batch: 'ten' is neither a positive number"):
        play.task("commit", "a-1", agent_batch="ten")
    assert play.task("commit", "a-1", agent_batch="50%")["restarted"]


def test_check_mode_asks_nobody(play: Play) -> None:
    play.stage("s-1")
    assert play.task("held", "s-1", "s-1", check=True)["lease"] == "would_be_taken"
    assert play.task("commit", "s-1", check=True)["changed"]
    play.task("released", "s-1", "s-1", check=True)
    assert play.called == []


def test_for_whom_a_server_waits_is_told_before_the_call_that_waits(play: Play) -> None:
    play.stage("s-1")
    play.task("held", "s-1", "s-2")
    away = "server-3 (its etcd does not answer: no answer in time)"
    play.answers["s-1"] = [{"waiting_for": [away], "step": "not started"}, {"restarted": True, "step": "done"}]
    assert play.task("commit", "s-1")["restarted"]
    assert play.called[-2:] == [("commit", "s-1"), ("commit", "s-1")]
    assert [sent["announce"] for sent in play.sent[-2:]] == [True, False]
    assert "s-1 waits up to 60 s before its restart for " + away in play.said


def test_servers_that_hang_on_what_the_run_replaces_are_named_to_the_node(play: Play) -> None:
    play.stage("s-1")
    play.stage("s-2", ill="containerd does not answer", member="server-2-1a2b3c4d")
    play.task("held", "s-1", "s-2")
    play.task("commit", "s-1")
    assert play.sent[-1]["hanging"] == ["server-2-1a2b3c4d"]


@pytest.mark.parametrize("arguments", [{"quorum_timeout": 0}, {"node_role": "agent"}])
def test_where_nobody_is_waited_for_it_is_one_call(play: Play, arguments: dict[str, Any]) -> None:
    play.stage("s-1")
    play.task("held", "s-1", "s-2")
    play.task("commit", "s-1", **arguments)
    assert [sent["announce"] for sent in play.sent[1:]] == [False]


def test_a_negative_quorum_timeout_is_refused(play: Play) -> None:
    play.stage("s-1")
    play.task("held", "s-1", "s-2")
    with pytest.raises(AnsibleActionFail, match="quorum_timeout"):
        play.task("commit", "s-1", quorum_timeout=-1)


def test_what_a_node_says_cannot_pass_for_a_line_of_the_run(play: Play) -> None:
    play.stage("s-1")
    play.task("held", "s-1", "s-2")
    play.answers["s-1"] = {
        "failed": True, "step": "done\r[1/1] s-1 restarted\x1b[8m", "msg": "no\nok: [s-2]\x1b[2K",
        "log": ["password=c4n4ry \x9b31m"],
    }  # fmt: skip
    result = play.task("commit", "s-1")
    assert play.said[-1].endswith("(last step: done\\r[1/1] s-1 restarted\\x1b[8m)")
    assert result["msg"] == "no\n    ok: [s-2]\\x1b[2K"
    assert result["log"] == ["password=******** \\x9b31m"]


@pytest.mark.parametrize("odd", [{"seconds": "long"}, {"canaries": ["x"]}, {"step": {"a": 1}}, {"log": "x"}])
def test_an_odd_answer_is_a_failed_node(play: Play, odd: dict[str, Any]) -> None:
    play.stage("s-1", "a-1")
    play.task("held", "s-1", "s-2")
    play.answers["s-1"] = {"restarted": True, **odd}
    result = play.task("commit", "s-1")
    assert result["failed"]
    assert next(iter(odd)) in result["msg"]
    assert "FAILED" in play.said[-1]
    assert play.task("commit", "a-1")["msg"].startswith("left as it was")


REACH = {"registries": ["docker.io"], "others": False, "known": ["docker.io"]}
SAID = {"error": "", "found": [{"who": "pod x/y", "node": "node-a-1", "registries": ["docker.io"]}]}


def _change_credentials_live(*hosts: str) -> None:
    with _action.ledger_of({"cluster": "server/agent"}).opened() as run:
        for host in hosts:
            run.hosts[host].live, run.hosts[host].reach, run.hosts[host].node_name = True, REACH, "node-" + host


@pytest.mark.parametrize("check", [False, True])
def test_who_brings_credentials_is_asked_once_with_the_lease_and_has_its_node_restart(play: Play, check: bool) -> None:
    play.stage("s-1", "a-1")
    _change_credentials_live("s-1", "a-1")
    play.answers["s-1"] = {"lease": "taken", "pull_secrets": SAID}
    result = play.task("held", "s-1", "s-1", check=check)
    assert "pull_secrets" not in result
    assert ([sent["pull_secrets"] for sent in play.sent], play.keepers) == ([True], 0 if check else 1)
    with _action.ledger_of({"cluster": "server/agent"}).opened() as run:
        assert (run.hosts["s-1"].live, run.hosts["a-1"].live) == (True, False)
        assert "pod x/y has an imagePullSecret" in run.hosts["a-1"].reasons[-1]
    if not check:
        del play.answers["s-1"]
        play.task("commit", "s-1")
        play.task("commit", "a-1")
        assert [sent["live"] for sent in play.sent[1:]] == [True, False]
        assert "not without a restart: pod x/y" in " ".join(play.said)


@pytest.mark.parametrize("answer", [AWAY, AnsibleConnectionFailure("no route"), {"lease": "not_held"}])
def test_if_nobody_can_be_asked_whose_credentials_change_restarts(play: Play, answer: Any) -> None:
    play.stage("s-1", "a-1")
    _change_credentials_live("a-1")
    play.answers["s-1"] = answer
    play.task("held", "s-1", "s-1", check=True)
    with _action.ledger_of({"cluster": "server/agent"}).opened() as run:
        assert not run.hosts["a-1"].live
        assert "could not be asked for imagePullSecrets" in run.hosts["a-1"].reasons[-1]


def test_going_on_without_the_lease_is_going_on_without_knowing(play: Play) -> None:
    play.stage("w-1", cluster="west/east")
    play.stage("s-1", "a-1")
    _change_credentials_live("a-1")
    play.answers.update(dict.fromkeys(GROUPS["server"], AWAY))
    for server in GROUPS["server"]:
        play.task("held", "s-1", server, force=True)
    with _action.ledger_of({"cluster": "server/agent"}).opened() as run:
        assert run.lease.without
        assert not run.hosts["a-1"].live


def test_nobody_is_asked_if_no_credentials_change(play: Play) -> None:
    play.stage("s-1")
    play.task("held", "s-1", "s-1")
    assert [sent["pull_secrets"] for sent in play.sent] == [False]
