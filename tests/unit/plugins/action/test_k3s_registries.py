# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s_registries: what is refused on the controller, before any node is asked, and what a node is asked twice."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.k3sfleet.registries.plugins.action import k3s_registries
from ansible_collections.k3sfleet.registries.plugins.plugin_utils import _action
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import rehearsing_action
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.restart_order_and_limits import halted
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import Host

from tests.conftest import mostly_nightly
from tests.unit.plugins.action.test_k3s_registries_report import ansible_playbook


@pytest.mark.parametrize("validate_only", mostly_nightly([True, False], False))
@pytest.mark.parametrize(("keep", "accepted"), mostly_nightly([(-1, False), (0, False), (1, True)], (0, False)))
def test_at_least_one_generation_is_kept(tmp_path: Path, keep: int, accepted: bool, validate_only: bool) -> None:
    task = {
        "name": "Registries",
        "k3sfleet.registries.k3s_registries": {
            "node_role": "agent",
            "config": {"mirrors": {"docker.io": {"endpoint": ["https://registry.example.com"]}}},
            "keep_generations": keep,
            "validate_only": validate_only,
        },
    }
    play = [{"name": "P", "hosts": "all", "gather_facts": False, "tasks": [task]}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    # Nothing answers there, so a run that asks the node says that it cannot be reached.
    (tmp_path / "inventory.yml").write_text(
        yaml.safe_dump({"all": {"hosts": {"a-1": {"ansible_host": "127.0.0.1", "ansible_port": 1}}}}), encoding="utf-8"
    )
    done = ansible_playbook(tmp_path)
    assert ("k3s_registries_keep_generations" in done.output) is not accepted
    assert ("UNREACHABLE" in done.output) is (accepted and not validate_only)


STAGED = {
    "changed": True, "restart": True, "live": True, "reasons": ["x"], "files": [], "node_role": "agent",
    "node_state": "running", "service_state": "running", "node_name": "node-a-1", "left_alone": False,
    "reach": {"registries": ["docker.io"], "others": False, "known": ["docker.io"]},
}  # fmt: skip
PASSWORD = "n3w-c4n4ry-Pa55"


class OneNode:
    """The action on one host, whose modules answer what the test says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, Any] = {"k3s_registries": STAGED, "k3s_rollout": dict(STAGED, doubts=[])}
        self.auth = {"username": "robot", "password": PASSWORD}
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.more: dict[str, Any] = {}
        self.pipelining = True
        self.host = "a-1"
        self.hosts = ["a-1"]
        monkeypatch.setattr(_action.C, "DEFAULT_LOCAL_TMP", str(folder))
        monkeypatch.setattr(k3s_registries.C, "DEFAULT_LOCAL_TMP", str(folder))
        monkeypatch.setattr(rehearsing_action.C, "DEFAULT_LOCAL_TMP", str(folder))
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments, **_named: {})

    def stage(self) -> tuple[dict[str, Any], Host]:
        """The task's result, and what the ledger has of the host."""
        configs = {"r": {"auth": self.auth}} if self.auth else {}
        config = {"mirrors": {"docker.io": {"endpoint": ["https://r"]}}, "configs": configs}
        arguments = {
            "node_role": "agent", "cluster": "server/agent", "stage": True, "live": True, "config": config,
            "canary_images": ["image:1"], **self.more,
        }  # fmt: skip
        task = SimpleNamespace(
            args=arguments, delegate_to=None, check_mode=False, diff=False, run_once=False, action="k3s_registries"
        )
        task._parent = SimpleNamespace(_play=SimpleNamespace(strategy="linear"))
        action = k3s_registries.ActionModule(task, None, None, None, None, None)

        def module(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            name = module_name.rpartition(".")[2]
            self.sent.append((name, module_args))
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return copy.deepcopy(answer)

        action._execute_module = module
        action._is_pipelining_enabled = lambda _style: self.pipelining
        groups = {"server": [], "agent": [name for name in self.hosts if name.startswith("a-")]}
        variables = {"inventory_hostname": self.host, "groups": groups, "ansible_play_hosts": self.hosts}
        variables["ansible_play_batch"] = ["a-1"]
        result: dict[str, Any] = action.run(task_vars=variables)
        with _action.ledger_of({"cluster": "server/agent"}).opened() as run:
            return result, run.hosts.get("a-1", Host())


@pytest.fixture
def one_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OneNode:
    return OneNode(tmp_path, monkeypatch)


def test_a_node_asks_its_registries_about_new_credentials_in_the_call_that_stages_it(one_node: OneNode) -> None:
    one_node.more = {"adopt": True, "settle": True}
    result, noted = one_node.stage()
    [(name, sent)] = one_node.sent
    assert (name, sent["canary_images"]) == ("k3s_rollout", ["image:1"])
    assert (sent["stage"]["adopt"], sent["stage"]["settle"], sent["node_role"]) == (True, True, "agent")
    assert PASSWORD in sent["prepared"]
    assert "doubts" not in result
    assert (result["live"], noted.live, noted.reach, noted.node_name) == (True, True, STAGED["reach"], "node-a-1")
    assert PASSWORD not in repr(result)


def test_an_earlier_state_may_have_credentials_to_try(one_node: OneNode) -> None:
    one_node.more = {"state": "previous", "config": None}
    assert one_node.stage()[1].live
    [(name, sent)] = one_node.sent
    assert (name, sent["stage"]["state"], "prepared" in sent) == ("k3s_rollout", "previous", False)


@pytest.mark.parametrize("answer", [dict(STAGED, reach={}), dict(STAGED, live=False)])
def test_other_changes_take_no_second_call(one_node: OneNode, answer: dict[str, Any]) -> None:
    one_node.answers["k3s_rollout"] = answer
    assert one_node.stage()[1].live is answer["live"]
    assert [name for name, _sent in one_node.sent] == ["k3s_rollout"]


@pytest.mark.parametrize("asks_nothing", ["no credentials", "restarts"])
def test_a_node_that_has_no_credentials_to_try_is_not_sent_what_asks(one_node: OneNode, asks_nothing: str) -> None:
    one_node.answers["k3s_registries"] = dict(STAGED, reach={})
    if asks_nothing == "no credentials":
        one_node.auth = {}
    else:
        one_node.more = {"live": False}
    assert one_node.stage()[1].live
    assert [name for name, _sent in one_node.sent] == ["k3s_registries"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"doubts": ["r offers Bearer tokens"]}, "r offers Bearer tokens"),
        ({"doubts": ["cannot read %s" % PASSWORD]}, "cannot read ********"),
        ({}, "has not said"),
    ],
)
def test_whatever_else_it_answers_is_a_restart_with_the_reason(one_node: OneNode, answer: Any, said: str) -> None:
    one_node.answers["k3s_rollout"] = dict(STAGED, **answer)
    result, noted = one_node.stage()
    assert (result["live"], noted.live, noted.reach, noted.restart) == (False, False, {}, True)
    assert result["reasons"][-1] == noted.reasons[-1]
    assert noted.reasons[-1].startswith("not without a restart: ")
    assert said in noted.reasons[-1]
    assert PASSWORD not in repr((result, noted))


def test_an_odd_answer_about_the_registries_counts_for_nothing(one_node: OneNode) -> None:
    one_node.answers["k3s_rollout"] = dict(STAGED, doubts=7)
    result, noted = one_node.stage()
    assert result["failed"]
    assert "doubts" in result["msg"]
    assert noted == Host()


LOST = {
    "image": "r/app:1", "users": [], "verdict": "lost", "allowed": False, "before": "", "after": "",
    "endpoint": "https://r", "cause": "not_found", "message": "r does not have it.", "fix": "Push it.", "digest": "",
    "running": [],
}  # fmt: skip
REHEARSED = {
    "problem": "", "refusal": "", "headline": "1 image: 1 from another place", "asked": 2, "stops": False,
    "unreadable": [], "counts": {"lost": 0}, "images": [], "effect": ["1 image moves from a to b"],
}  # fmt: skip


def rehearse(one_node: OneNode, answer: Any) -> dict[str, Any]:
    one_node.more = {"rehearse": {"images": ["image:2"], "allow": ["old/*"]}, "live": False}
    one_node.answers["k3s_registries"] = dict(STAGED, live=False)
    one_node.answers["k3s_rollout"] = answer
    return one_node.stage()[0]


def test_a_node_that_changes_is_rehearsed_on_in_one_more_call(
    one_node: OneNode, capsys: pytest.CaptureFixture[str]
) -> None:
    result = rehearse(one_node, {"changed": False, "rehearsal": REHEARSED})
    (_first, staged), (second, sent) = one_node.sent
    assert (second, sent["rehearse"]) == ("k3s_rollout", {"images": ["image:2"], "allow": ["old/*"], "seconds": 60.0})
    assert PASSWORD in sent["prepared"]
    assert "rehearse" not in staged
    assert (result["rehearsal"], result["changed"], result.get("failed", False)) == (REHEARSED, False, False)
    said = capsys.readouterr().out
    assert "a-1: 1 image: 1 from another place\n" in said
    assert "  for pulls on a-1: 1 image moves from a to b\n" in said
    assert PASSWORD not in repr(result)


def test_what_ansible_leaves_without_pipelining_is_said_once(one_node: OneNode) -> None:
    assert not rehearse(one_node, {"changed": False, "rehearsal": REHEARSED}).get("warnings")
    one_node.pipelining = False
    (warning,) = rehearse(one_node, {"changed": False, "rehearsal": REHEARSED})["warnings"]
    assert "without pipelining" in warning
    assert not rehearse(one_node, {"changed": False, "rehearsal": REHEARSED}).get("warnings")


def test_a_lost_image_fails_the_task(one_node: OneNode) -> None:
    images = [{"image": name, "verdict": name} for name in ("same_place", "lost", "other_place", "not_known")]
    lost = dict(REHEARSED, stops=True, refusal="1 image that this node uses could no longer be pulled", images=images)
    result = rehearse(one_node, {"changed": False, "rehearsal": lost})
    assert result["failed"]
    assert result["msg"].startswith("1 image could no longer be pulled: lost. ")
    assert "k3s_registries_rehearse_allow" in result["msg"]
    # Ansible prints all of it.
    assert [item["image"] for item in result["rehearsal"]["images"]] == ["lost", "not_known"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"rehearsal": dict(REHEARSED, problem="no containerd")}, "no containerd"),
        ({"failed": True, "msg": "cannot read %s" % PASSWORD}, "cannot read ********"),
        ({"rehearsal": {"problem": 7}}, "the node's answer"),
        ({}, "rehearsal"),
        (AnsibleConnectionFailure("no route"), "no route"),
    ],
)
def test_what_was_not_rehearsed_is_not_green(one_node: OneNode, answer: Any, said: str) -> None:
    result = rehearse(one_node, answer)
    assert result["failed"]
    assert said in result["msg"]
    assert PASSWORD not in repr(result)


def test_the_last_of_the_cluster_says_what_all_have_found(
    one_node: OneNode, capsys: pytest.CaptureFixture[str]
) -> None:
    one_node.hosts = ["a-1", "a-2", "of-another-cluster"]
    lost = dict(REHEARSED, stops=True, images=[LOST])
    rehearse(one_node, {"changed": False, "rehearsal": lost})
    assert "Rehearsal:" not in capsys.readouterr().out
    one_node.host = "a-2"
    one_node.answers["k3s_registries"] = AnsibleConnectionFailure("no route")
    with pytest.raises(AnsibleConnectionFailure):
        one_node.stage()
    said = capsys.readouterr().out
    assert "Rehearsal: 1 image on 1 node: 1 lost\n  lost: r/app:1 on a-1: https://r, not_found: " in said
    assert "  not rehearsed on a-2: it cannot be reached\n" in said


def test_nothing_is_asked_where_nothing_changes(one_node: OneNode) -> None:
    one_node.more = {"rehearse": {}}
    one_node.answers["k3s_registries"] = dict(STAGED, changed=False, restart=False, live=False)
    assert "rehearsal" not in one_node.stage()[0]
    assert [name for name, _sent in one_node.sent] == ["k3s_registries"]


class Site:
    """A run of the role on one host: staging, and then what the host asks before the first node is touched."""

    def __init__(self, one_node: OneNode, mode: str = "canary") -> None:
        self.node = one_node
        one_node.more = {"rollout": {"rehearse": mode}}
        one_node.answers["k3s_rollout"] = dict(STAGED, architecture="x86_64", doubts=[])

    def stage(self) -> Host:
        noted = self.node.stage()[1]
        self.node.answers["k3s_rollout"] = {"changed": False, "rehearsal": REHEARSED}
        return noted

    def ask(self) -> dict[str, Any]:
        self.node.more = {**self.node.more, "rehearse": {"images": ["image:2"], "staged": STAGED}, "stage": False}
        self.node.sent.clear()
        return self.node.stage()[0]

    @property
    def run(self) -> Any:
        with _action.ledger_of({"cluster": "server/agent"}).opened() as run:
            return run


def test_before_the_first_node_one_more_call_rehearses(one_node: OneNode, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(one_node)
    noted = site.stage()
    assert ([name for name, _sent in one_node.sent], noted.live) == (["k3s_rollout"], True)
    result = site.ask()
    ((name, sent),) = one_node.sent
    assert (name, "stage" in sent, sent["rehearse"]["images"]) == ("k3s_rollout", False, ["image:2"])
    assert PASSWORD in sent["prepared"]
    assert (result["rehearsal"], result["changed"]) == (REHEARSED, False)
    said = capsys.readouterr().out
    assert "Rehearsal on 1 node (a-1): each asks one registry at most 8 questions at a time" in said
    assert "[1/1] a-1 rehearsed in 0.0 s: 1 image: 1 from another place" in said
    assert (site.run.rehearsal.ended, site.run.hosts["a-1"].live) == (["a-1"], True)
    assert PASSWORD not in repr((result, site.run))


def test_a_lost_image_stops_the_run_and_not_the_task_that_finds_it(one_node: OneNode) -> None:
    site = Site(one_node)
    site.stage()
    lost = dict(REHEARSED, stops=True, refusal="1 image", images=[LOST], counts={"lost": 1})
    one_node.answers["k3s_rollout"] = {"changed": False, "rehearsal": lost}
    assert not site.ask().get("failed")
    assert "1 image could no longer be pulled" in halted(site.run, 9, False)


def test_a_host_that_another_one_stands_for_asks_nothing_more(one_node: OneNode) -> None:
    site = Site(one_node)
    kind = site.stage().kind
    with _action.ledger_of({"cluster": "server/agent"}).opened() as run:
        run.rehearsal.covered = [kind + " agent"]
    assert "rehearsal" not in site.ask()
    assert one_node.sent == []


@pytest.mark.parametrize(
    "answer", [AnsibleConnectionFailure("no route"), {"rehearsal": dict(REHEARSED, problem="no route")}]
)
def test_what_cannot_be_rehearsed_in_a_run_is_named_and_stops_nothing(one_node: OneNode, answer: Any) -> None:
    site = Site(one_node)
    site.stage()
    one_node.answers["k3s_rollout"] = answer
    assert not site.ask().get("failed")
    assert site.run.rehearsal.problems == {"a-1": "no route"}
    assert halted(site.run, 0, False) == ""


def test_without_a_rehearsal_no_node_stands_for_others(one_node: OneNode) -> None:
    assert Site(one_node, "never").stage().kind == ""
    assert Site(one_node).stage().kind != ""


def test_only_the_configuration_that_was_rehearsed_is_applied(one_node: OneNode) -> None:
    one_node.answers["k3s_registries"] = dict(STAGED, changed=False, restart=False, live=False)
    one_node.more = {"rehearse": {}, "live": False}
    digest = one_node.stage()[0]["candidate"]
    one_node.more = {"rollout": {"rehearsed": ["f" * 64, digest]}}
    one_node.stage()
    one_node.sent.clear()
    one_node.more = {"rollout": {"rehearsed": ["f" * 64]}}
    with pytest.raises(AnsibleActionFail, match="is not one that was rehearsed"):
        one_node.stage()
    assert one_node.sent == []
