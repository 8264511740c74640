# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that answers what no node does: the controller goes on, in bounded time, and says what was wrong."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.k3sfleet.registries.plugins.action import k3s_registries_info
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.sealed import seal
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction import explained
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import DIFFERS, Difference
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._info import info as making
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._info.problems import of_settings

from tests.unit.plugins.plugin_utils._info.node import Node

LAUGHS = "a: &a0 [lol, lol, lol]\n" + "".join(
    "a%d: &a%d [%s]\n" % (level, level, ", ".join(["*a%d" % (level - 1)] * 9)) for level in range(1, 10)
)


def settings_of(*texts: str) -> Any:
    said = {
        "distribution": "k3s",
        "command": [],
        "config_files": [["/%d.yaml" % n, t, 0.0] for n, t in enumerate(texts)],
    }
    return making._settings(said, [])


def test_aliases_in_k3s_configuration_are_not_expanded() -> None:
    began = time.process_time()
    text = LAUGHS + "system-default-registry: *a9\nembedded-registry: true\nx: {<<: [*a9, *a9]}\n"
    found, _unreadable, _too_large = settings_of(text)
    assert time.process_time() - began < 2
    assert found.flag("embedded-registry") is True
    assert len(str(found.found)) < 5000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("https-listen-port: 7443", 7443),
        ("https-listen-port: '7443'", "7443"),
        ("x: &x reg.example.com\nsystem-default-registry: *x", "reg.example.com"),
        ("system-default-registry: [a, b]", "a, b"),
        ("system-default-registry: {a: b}", "(a mapping)"),
        ("system-default-registry:", None),
        ("system-default-registry: https://admin:p/w@r.example.com", "https://********@r.example.com"),
        ("disable-default-registry-endpoint+: yes", True),
    ],
)
def test_values_are_read_as_k3s_reads_them(text: str, value: Any) -> None:
    (setting,) = settings_of(text)[0].found
    assert making._shown(setting.value) == value


@pytest.mark.nightly
def test_what_is_too_large_is_not_read_but_said() -> None:
    found, unreadable, too_large = settings_of("a: b\n" * 100_000)
    assert found.found == []
    assert [problem["code"] for problem in of_settings(found, unreadable, too_large)] == ["config_unreadable"]
    assert len(settings_of(*["a: b\n" * 20_000] * 100)[2]) > 90


def test_long_texts_are_compared_in_no_time() -> None:
    began = time.process_time()
    one, other = ("\n".join("a%d" % (number % cycle) for number in range(100_000)) for cycle in (97, 89))
    assert explained.listed([Difference("certs.d/r/hosts.toml", "r", DIFFERS, one, other)], "/c", "/t")
    assert time.process_time() - began < 10


class Run:
    """The action plugin on a node that seals whatever it likes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments, **_named: {})

    def result(self, said: Any, **unsealed: Any) -> dict[str, Any]:
        task = SimpleNamespace(args={}, check_mode=False, action="k3s_registries_info")
        action = k3s_registries_info.ActionModule(task, None, None, None, None, None)

        def module(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            return unsealed or {"changed": False, "sealed": seal(said, module_args["key"])}

        action._execute_module = module
        found: dict[str, Any] = action.run(task_vars={})
        return found

    def understood(self, said: Any) -> bool:
        """Whether it is made something of, or refused in a sentence."""
        try:
            return isinstance(self.result(said)["info"]["state"], str)
        except AnsibleActionFail as failure:
            return "the node's answer is none that the module gives" in str(failure)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(monkeypatch)


def said_by(node: Node) -> dict[str, Any]:
    node.start()
    return dict(node.ask().said)


@pytest.fixture
def node(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path, monkeypatch)


def test_every_single_wrong_type_is_a_sentence(node: Node, run: Run) -> None:
    said = said_by(node)
    assert run.result(said)["info"]["state"] == "loaded"
    for key in said:
        for odd in (None, 1, "text", ["list"], {"a": "mapping"}, [["x"]], [[1, 2, 3]], 1e300, True):
            assert run.understood(dict(said, **{key: odd}))
        assert run.understood({name: value for name, value in said.items() if name != key})


def test_an_answer_that_is_not_sealed_is_not_believed(run: Run) -> None:
    with pytest.raises(AnsibleActionFail, match="not sealed"):
        run.result(None, changed=False, info={"state": "loaded", "problems": []})
    failed = run.result(None, failed=True, msg="no\nok: [x]\x1b[m", info={"state": "loaded"})
    assert "info" not in failed
    assert failed["msg"] == "no\n    ok: [x]\\x1b[m"


def test_texts_of_certificates_and_files_are_visible(node: Node) -> None:
    node.start()
    node.write("configs: {'r\\e[2K\\u202e': {tls: {ca_file: \"/tmp/a\\nok\"}}}", age=100)
    text = str(node.info())
    assert "\x1b" not in text
    assert "\u202e" not in text
