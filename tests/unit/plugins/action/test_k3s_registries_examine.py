# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s_registries_examine: what a node is asked, and what becomes of a question that cannot be put."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Mapping

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.k3sfleet.registries.plugins.action.k3s_registries_examine import ActionModule

CONFIG = {"mirrors": {"docker.io": {"endpoint": ["https://m:5000"]}}}
EVERYTHING: dict[str, Any] = {
    "node": {"distribution": "k3s"}, "applied": {"config": CONFIG}, "probe": {"images": []},
    "canary": {"images": ["a:1"]}, "diagnosis": {"since": "2h"}, "rehearsal": None,
}  # fmt: skip
VERIFY = {**EVERYTHING, "diagnosis": None, "verify": {"managed": True, "not_installed": "fail"}}
REPORT = {**EVERYTHING, "applied": None, "canary": None, "verify": None}


class Node(ActionModule):
    """Answers with what it was given for ``info``, and remembers what it was asked."""

    def __init__(self, info: Any) -> None:
        self.info = info
        self.asked: dict[str, dict[str, Any]] = {}

    def _note(self, module: str, options: dict[str, Any]) -> dict[str, Any]:
        self.asked[module.rpartition(".")[2]] = options
        answer = self.info if module.endswith("_info") else {"changed": False}
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    def _execute_module(self, module_name: str, module_args: dict[str, Any], **_more: Any) -> dict[str, Any]:
        return self._note(module_name, module_args)

    def _through_action_plugin(
        self, module: str, options: dict[str, Any], check_mode: bool, _task_vars: Mapping[str, Any]
    ) -> dict[str, Any]:
        assert check_mode is module.endswith(".k3s_registries"), "only what would change a node is asked not to"
        return self._note(module, options)


def asked(info: Any, arguments: dict[str, Any]) -> list[str]:
    node = Node(info)
    node._answers(arguments, {})
    return [name.replace("k3s_", "") for name in node.asked]


def facts(state: str, *codes: str) -> dict[str, Any]:
    return {"info": {"state": state, "problems": [{"code": code} for code in codes]}}


@pytest.mark.parametrize(
    ("info", "verify", "report"),
    [
        (facts("loaded"), ["registries", "registry_probe", "canary_pull"], ["registry_probe", "pull_diagnosis"]),
        (facts("stopped"), ["registries"], ["registry_probe", "pull_diagnosis"]),
        (facts("not_installed"), ["registries"], []),
        (facts("not_set_up"), ["registries"], []),
        (facts("loaded", "contradiction"), ["registries"], ["registry_probe", "pull_diagnosis"]),
        ({"failed": True, "msg": "no become"}, [], ["registry_probe", "pull_diagnosis"]),
        (AnsibleConnectionFailure("no route"), [], []),
    ],
)
def test_what_is_asked_follows_from_what_the_node_is(info: Any, verify: list[str], report: list[str]) -> None:
    assert asked(info, VERIFY) == ["registries_info", *verify]
    assert asked(info, REPORT) == ["registries_info", *report]


def test_what_there_is_nothing_to_ask_about_is_not_asked() -> None:
    nothing = {**VERIFY, "applied": {"config": {}}, "canary": {"images": []}}
    assert asked(facts("loaded"), nothing) == ["registries_info", "registry_probe"]
    absent = {**nothing, "applied": {"config": CONFIG, "state": "absent"}}
    assert asked(facts("loaded"), absent) == ["registries_info", "registry_probe"]


def test_a_new_configuration_is_rehearsed_if_there_is_one() -> None:
    rehearsing = {**REPORT, "rehearsal": {"config": CONFIG, "rehearse": {}}}
    told = ["registries_info", "registry_probe", "pull_diagnosis"]
    assert asked(facts("loaded"), rehearsing) == [*told, "registries"]
    assert asked(facts("loaded"), {**REPORT, "rehearsal": {"config": {}, "rehearse": {}}}) == told
    assert asked(facts("not_installed"), rehearsing) == ["registries_info"]


def test_every_module_is_told_what_the_node_is_and_those_that_explain_pulls_its_configuration() -> None:
    node = Node({"info": {"state": "loaded", "registries": {"config": CONFIG}}})
    node._answers(EVERYTHING | {"verify": None}, {})
    assert all(options["distribution"] == "k3s" for options in node.asked.values())
    assert node.asked["k3s_pull_diagnosis"] == {"distribution": "k3s", "since": "2h", "config": CONFIG}
    assert node.asked["k3s_canary_pull"] == {"distribution": "k3s", "images": ["a:1"], "config": CONFIG}
    assert "config" not in node.asked["k3s_registry_probe"]


@pytest.mark.parametrize(
    ("problem", "answer"),
    [
        (AnsibleConnectionFailure("no route"), {"unreachable": True, "msg": "no route"}),
        (AnsibleError("sudo: not found"), {"failed": True, "msg": "sudo: not found"}),
        (RecursionError(), {"failed": True, "msg": "what its modules have answered is nested too deeply"}),
    ],
)
def test_a_question_that_cannot_be_put_has_an_answer(problem: Exception, answer: dict[str, Any]) -> None:
    assert Node(problem)._answers(VERIFY, {})["info"] == answer


def test_an_answer_of_another_shape_is_no_reason_to_fail() -> None:
    for info in ({}, {"info": "x"}, {"info": {"state": ["x"], "problems": "x", "registries": "x"}}):
        Node(info)._answers(VERIFY, {})
        Node(info)._answers(REPORT, {})


METRICS = {"managed": True, "not_installed": "fail", "keep": False, "metrics_dir": "/var/lib/node-exporter"}


class Writing(Node):
    """A node that answers to the writing of its metrics with what it was given for that."""

    def __init__(self, info: Any, written: Any, check_mode: bool = False) -> None:
        super().__init__(info)
        self.written = written
        self._task = SimpleNamespace(check_mode=check_mode)

    def _note(self, module: str, options: dict[str, Any]) -> dict[str, Any]:
        if not module.endswith("_metrics"):
            return super()._note(module, options)
        self.asked["k3s_registries_metrics"] = options
        if isinstance(self.written, Exception):
            raise self.written
        return dict(self.written)

    def result(self, **verify: Any) -> dict[str, Any]:
        arguments = {**VERIFY, "verify": {**METRICS, **verify}}
        return self._act({"warnings": []}, arguments, {"inventory_hostname": "edge-1"})


def test_metrics_are_written_with_what_verify_says_and_are_no_change() -> None:
    node = Writing(facts("loaded"), {"changed": True})
    result = node.result()
    assert (result["verdict"]["ok"], result["changed"]) == (True, False)
    written = node.asked["k3s_registries_metrics"]
    assert (written["folder"], "k3s_registries_verify_passed 1\n" in written["text"]) == (METRICS["metrics_dir"], True)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"failed": True, "msg": "the folder /x cannot be found. Create it."}, "the folder /x cannot be found."),
        ({"unreachable": True, "msg": "gone"}, "gone"),
        (AnsibleError("broken pipe"), "broken pipe"),
    ],
)
def test_metrics_that_cannot_be_written_fail_the_node_and_nothing_else(written: Any, why: str) -> None:
    result = Writing(facts("loaded"), written).result()
    assert result["failed"]
    assert result["msg"].startswith("metrics_not_written: " + why)
    sound = Writing(facts("loaded"), {"changed": True}).result()["verdict"]
    assert {**result["verdict"], "failures": [], "ok": True} == sound


def test_a_node_that_fails_has_its_metrics_too() -> None:
    for info in (facts("pending"), {"failed": True, "msg": "no become"}):
        node = Writing(info, {"changed": True})
        assert node.result()["failed"]
        assert "k3s_registries_verify_passed 0\n" in node.asked["k3s_registries_metrics"]["text"]


def test_nothing_is_written_in_check_mode_without_a_folder_or_if_the_node_is_away() -> None:
    nodes = [
        (Writing(facts("loaded"), {}, check_mode=True), {}),
        (Writing(facts("loaded"), {}), {"metrics_dir": ""}),
        (Writing(AnsibleConnectionFailure("no route"), {}), {}),
    ]
    for node, verify in nodes:
        node.result(**verify)
        assert "k3s_registries_info" in node.asked
        assert "k3s_registries_metrics" not in node.asked
