# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's lease, as the hosts of a play ask for it, and what a commit is without one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.k3sfleet.registries.plugins.action import k3s_rollout
from ansible_collections.k3sfleet.registries.plugins.plugin_utils import _action
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import keeper

GROUPS = {"server": ["s-1", "s-2", "s-3"], "west": ["w-1"], "agent": ["a-1"]}
WELL = {"healthy": True, "sentence": "node Ready", "explained": False}
AWAY = {"failed": True, "lease": "unavailable", "msg": "the API does not show the Lease"}
HELD = {"failed": True, "lease": "held", "msg": "the cluster is being worked on by somebody", "lease_expires_in": 900}


class Play:
    """Tasks of one run. ``answers`` is what the module says through each server; what is not named takes the lease."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, Any] = {}
        self.called: list[tuple[str, str]] = []
        self.keepers = 0
        self.said: list[str] = []
        monkeypatch.setattr(_action.C, "DEFAULT_LOCAL_TMP", str(folder))
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments, **_named: {})
        monkeypatch.setattr(keeper, "leave_behind", self._leave_behind)
        monkeypatch.setattr(k3s_rollout.display, "display", self.said.append)

    def _leave_behind(self, *_arguments: Any, **_named: Any) -> None:
        self.keepers += 1

    def stage(self, *hosts: str, cluster: str = "server/agent", health: Any = None) -> None:
        with _action.ledger_of({"cluster": cluster}).opened() as state:
            for host in hosts:
                role = "agent" if host.startswith("a") else "server"
                state["staged"][host] = {"role": role, "restart": True, "reasons": ["x"], "health": health or WELL}

    def task(self, operation: str, host: str, through: str = "", check: bool = False, **arguments: Any) -> Any:
        arguments = {"operation": operation, "node_role": "server", "cluster": "server/agent", **arguments}
        if operation == "commit":
            arguments["staged"] = {"restart": True, "service": "k3s"}
        task = SimpleNamespace(args=arguments, delegate_to=through or None, check_mode=check, action="k3s_rollout")
        action = k3s_rollout.ActionModule(task, None, None, None, None, None)

        def module(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            asked = through or host
            self.called.append((module_args["operation"], asked))
            answer = self.answers.get(asked)
            if isinstance(answer, Exception):
                raise answer
            return dict(answer or {"lease": "taken", "restarted": True, "step": "done"})

        action._execute_module = module
        return action.run(task_vars={"inventory_hostname": host, "groups": GROUPS})


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    return Play(tmp_path, monkeypatch)


def test_of_all_hosts_that_ask_the_first_takes_it_and_the_last_gives_it_back(play: Play) -> None:
    play.stage("s-1", "a-1")
    assert play.task("hold", "s-1", "s-2")["lease"] == "taken"
    assert play.task("hold", "a-1", "s-2") == {"changed": False, "lease": "held", "lease_server": "s-2"}
    play.task("commit", "s-1")
    assert play.task("release", "s-1", "s-2")["lease"] == "kept for a-1"
    play.task("commit", "a-1")
    play.task("release", "a-1", "s-2")
    play.task("release", "s-1", "s-2")
    assert play.called == [("hold", "s-2"), ("commit", "s-1"), ("commit", "a-1"), ("release", "s-2")]
    assert play.keepers == 1


def test_a_commit_without_the_lease_is_refused(play: Play) -> None:
    play.stage("s-1")
    result = play.task("commit", "s-1")
    assert (result["failed"], result["untouched"]) == (True, True)
    assert "operation: hold" in result["msg"]
    assert play.called == []


def test_every_cluster_of_a_play_has_a_lease_of_its_own(play: Play) -> None:
    play.stage("s-1")
    play.stage("w-1", cluster="west/east")
    play.answers["w-1"] = HELD
    assert play.task("hold", "s-1", "s-1")["lease"] == "taken"
    refused = play.task("hold", "w-1", "w-1", cluster="west/east")
    assert "worked on by somebody" in refused["msg"]
    assert play.task("commit", "w-1", cluster="west/east")["untouched"]
    assert play.task("commit", "s-1")["restarted"]
    assert ("commit", "w-1") not in play.called


@pytest.mark.parametrize("away", [AWAY, AnsibleConnectionFailure("no route to host")])
def test_through_another_server_when_the_first_does_not_answer(play: Play, away: Any) -> None:
    play.stage("a-1", "a-2")
    play.answers.update({"s-1": away, "s-2": away})
    for host in ("a-1", "a-2"):
        assert play.task("hold", host, "s-1")["lease"] == "elsewhere"
    assert play.task("hold", "a-1", "s-2")["lease"] == "elsewhere"
    assert play.task("hold", "a-1", "s-3")["lease_server"] == "s-3"
    assert play.task("hold", "a-2", "s-2")["lease_server"] == "s-3"
    assert play.called == [("hold", "s-1"), ("hold", "s-2"), ("hold", "s-3")], "none is asked twice"
    assert len([line for line in play.said if line.startswith("The lease cannot be taken through s-")]) == 2


def test_when_no_server_answers_nothing_is_restarted_unless_forced(play: Play) -> None:
    play.stage("a-1", "a-2")
    play.answers.update(dict.fromkeys(GROUPS["server"], AWAY))
    play.task("hold", "a-1", "s-1")
    play.task("hold", "a-1", "s-2")
    for host in ("a-1", "a-2"):
        refused = play.task("hold", host, "s-3")
        assert (refused["failed"], "k3s_registries_force: true" in refused["msg"]) == (True, True)
    assert len(play.called) == 3


def test_a_run_that_lives_is_not_gone_around_through_another_server(play: Play) -> None:
    play.stage("a-1")
    play.answers["s-1"] = HELD
    assert play.task("hold", "a-1", "s-1")["failed"]
    assert play.task("hold", "a-1", "s-2")["failed"]
    assert play.called == [("hold", "s-1")]


def test_force_and_an_illness_that_the_run_mends_go_on_without(play: Play) -> None:
    play.answers.update(dict.fromkeys(GROUPS["server"], AWAY))
    play.stage("s-1", health={"healthy": False, "sentence": "x", "explained": True})
    for server in GROUPS["server"]:
        result = play.task("hold", "s-1", server)
    assert "since the servers themselves are ill" in result["warnings"][0]
    assert play.task("commit", "s-1")["untouched"] is False
    play.answers["w-1"] = HELD
    play.stage("w-1", cluster="west/east")
    forced = play.task("hold", "w-1", "w-1", cluster="west/east", force=True)
    assert "k3s_registries_force is set" in forced["warnings"][0]


def test_a_server_that_went_away_meanwhile_does_not_fail_the_host_that_gives_back(play: Play) -> None:
    play.stage("a-1")
    play.task("hold", "a-1", "s-1")
    play.task("commit", "a-1")
    play.answers["s-1"] = AnsibleConnectionFailure("no route to host")
    released = play.task("release", "a-1", "s-1")
    assert not released.get("failed")
    assert "counts as abandoned" in released["lease"]


def test_check_mode_asks_nobody(play: Play) -> None:
    play.stage("s-1")
    assert play.task("hold", "s-1", "s-1", check=True)["lease"] == "would be taken"
    assert play.task("commit", "s-1", check=True)["changed"]
    play.task("release", "s-1", "s-1", check=True)
    assert play.called == []


def test_what_a_node_says_cannot_pass_for_a_line_of_the_run(play: Play) -> None:
    play.stage("s-1")
    play.task("hold", "s-1", "s-2")
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
    play.task("hold", "s-1", "s-2")
    play.answers["s-1"] = {"restarted": True, **odd}
    result = play.task("commit", "s-1")
    assert result["failed"]
    assert next(iter(odd)) in result["msg"]
    assert "FAILED" in play.said[-1]
    assert play.task("commit", "a-1")["msg"].startswith("left as it was")
