# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s_registries on the short way: a node whose snapshot is for this configuration takes no module, all others do."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.k3sfleet.registries.plugins.action import k3s_registries
from ansible_collections.k3sfleet.registries.plugins.plugin_utils import _action
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import rehearsing_action
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import Run
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._short_way import (
    configuration_digest,
    short_way_action,
)

PASSWORD = "n3w-c4n4ry-Pa55"
SALT = "5a" * 16
STAGED: dict[str, Any] = {
    "changed": False, "restart": False, "live": False, "reasons": [], "reach": {}, "files": [], "node_name": "",
    "architecture": "", "foreign": False, "health": {}, "kept": "", "left_alone": False, "node_state": "running",
    "node_role": "agent", "service": "k3s-agent", "service_state": "running", "embedded_mirror": None,
    "release": "v1.34.3+k3s1", "registries": ["docker.io"], "generation": 4, "warnings": ["known problem"],
}  # fmt: skip


class Fleet:
    """The action on hosts of one run. ``says`` is what the command prints on a node, ``sent`` what the module got."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.says = ""
        self.fails: Exception | None = None
        self.status = 0
        self.sent: list[dict[str, Any]] = []
        self.commands: list[str] = []
        self.more: dict[str, Any] = {}
        self.hosts = ["a-1"]
        self.check_mode = False
        self.run_once = False
        for module in (_action, k3s_registries, rehearsing_action, short_way_action):
            monkeypatch.setattr(module.C, "DEFAULT_LOCAL_TMP", str(folder))
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments, **_named: {})
        monkeypatch.setattr(ActionBase, "_low_level_execute_command", lambda _action, line: self._runs(line))

    def _runs(self, line: str) -> dict[str, Any]:
        self.commands.append(line)
        if self.fails is not None:
            raise self.fails
        return {"rc": self.status, "stdout": self.says, "stderr": ""}

    def _module(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        self.sent.append(module_args)
        return json.loads(json.dumps(STAGED))

    def stage(self, host: str = "a-1") -> dict[str, Any]:
        auth = {"username": "robot", "password": PASSWORD}
        config = {"mirrors": {"docker.io": {"endpoint": ["https://r"]}}, "configs": {"r": {"auth": auth}}}
        arguments = {"node_role": "agent", "cluster": "server/agent", "stage": True, "config": config, **self.more}
        task = SimpleNamespace(
            args=arguments, delegate_to=None, check_mode=self.check_mode, diff=True, run_once=self.run_once,
            action="k3s_registries",
        )  # fmt: skip
        task._parent = SimpleNamespace(_play=SimpleNamespace(strategy="linear"))
        connection = SimpleNamespace(_shell=SimpleNamespace(SHELL_FAMILY="sh"))
        action = k3s_registries.ActionModule(task, connection, None, None, None, None)
        action._execute_module = self._module
        groups = {"server": [], "agent": self.hosts}
        variables = {"inventory_hostname": host, "groups": groups, "ansible_play_hosts": self.hosts}
        result: dict[str, Any] = action.run(task_vars=variables)
        return result

    def names_snapshot(self) -> str:
        """What a node that is asked in full is to keep."""
        self.stage()
        name: str = self.sent.pop()["snapshot"]
        return name

    def unchanged(self, **more: Any) -> str:
        """What a node with a snapshot for this configuration prints."""
        return "k3sfleet-unchanged %s %s\r\n" % (self.names_snapshot(), json.dumps({**STAGED, **more}))

    def ledger(self) -> Run:
        with _action.ledger_of({"cluster": "server/agent"}).opened() as run:
            return run


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    return Fleet(tmp_path, monkeypatch)


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_node_that_has_not_changed_takes_no_module_and_gives_the_same_result(fleet: Fleet, check_mode: bool) -> None:
    fleet.check_mode = check_mode
    in_full = fleet.stage()
    fleet.says = fleet.unchanged()
    fleet.sent.clear()
    result = fleet.stage()
    assert fleet.sent == []
    assert result == in_full
    assert result["warnings"] == ["known problem"]
    noted = fleet.ledger()
    assert list(noted.hosts) == ["a-1"]
    assert noted.arrived == {"a-1": "running"}


def test_the_command_is_constant(fleet: Fleet) -> None:
    fleet.stage()
    fleet.more = {"config": {"mirrors": {"quay.io": {"endpoint": ["https://other"]}}}, "adopt": True}
    fleet.stage()
    assert len(set(fleet.commands)) == 1
    assert shlex.split(fleet.commands[0])[-1] == "/etc/rancher/k3s/k3sfleet/snapshot"
    fleet.more = {"config_dir": "/srv/my k3s", "distribution": "rke2"}
    fleet.stage()
    assert shlex.split(fleet.commands[-1])[-1] == "/srv/my k3s/k3sfleet/snapshot"


@pytest.mark.parametrize(
    "more",
    [
        {"config": {"mirrors": {"docker.io": {"endpoint": ["https://r"]}}}},
        {"adopt": True}, {"live": True}, {"settle": True}, {"keep_generations": 7}, {"node_role": "server"},
        {"service": "k3s-other"}, {"data_dir": "/srv/k3s"}, {"cert_dir": "/srv/certs"}, {"registries_file": "/srv/r"},
        {"disable_default_endpoint": True}, {"embedded_registry": False}, {"system_default_registry": "r.test"},
        {"distribution": "rke2"},
    ],
)  # fmt: skip
def test_a_snapshot_for_anything_else_does_not_count(fleet: Fleet, more: dict[str, Any]) -> None:
    fleet.says = fleet.unchanged()
    fleet.more = more
    fleet.stage()
    assert len(fleet.sent) == 1


def test_another_version_of_the_collection_asks_in_full(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.says = fleet.unchanged()
    for path in fleet.folder.iterdir():
        # Another run.
        path.unlink()
    monkeypatch.setattr(configuration_digest, "_read_code", lambda: "another")
    fleet.stage()
    assert len(fleet.sent) == 1


def test_days_that_pass_do_not_count() -> None:
    wanted = {"certificates": [{"subject": "CN=a", "days_left": 30}], "config": {}}
    texts = set()
    for days in (30, 29):
        wanted["certificates"] = [{"subject": "CN=a", "days_left": days}]
        texts.add(configuration_digest.text_of({"prepared": json.dumps(wanted), "key": str(days)}, ""))
    assert len(texts) == 1


ODD: list[dict[str, Any]] = [
    {"changed": True}, {"restart": True}, {"restart": 0}, {"reasons": ["x"]}, {"files": [{"path": "/x"}]},
    {"ansible_facts": {"x": 1}}, {"node_state": "stopped"}, {"warnings": [1]}, {"registries": {"a": 1}},
    {"generation": "4"}, {"health": {"healthy": False}},
]  # fmt: skip


@pytest.mark.parametrize("more", ODD)
def test_a_result_that_no_snapshot_has_is_none(fleet: Fleet, more: dict[str, Any]) -> None:
    fleet.says = fleet.unchanged(**more)
    result = fleet.stage()
    assert len(fleet.sent) == 1
    assert not result["changed"]
    assert "ansible_facts" not in result


@pytest.mark.parametrize(
    "says",
    ["", "k3sfleet-unchanged", "sudo: a password is required\n", "k3sfleet-unchanged %s %s {}\n" % (SALT, "0" * 64)],
)
def test_other_output_asks_in_full(fleet: Fleet, says: str) -> None:
    fleet.says = says
    fleet.stage()
    assert len(fleet.sent) == 1


def test_a_command_that_fails_asks_in_full(fleet: Fleet) -> None:
    fleet.says, fleet.status = fleet.unchanged(), 1
    fleet.stage()
    assert len(fleet.sent) == 1
    fleet.fails = AnsibleError("no password for su")
    fleet.stage()
    assert len(fleet.sent) == 2


def test_an_unreachable_node_counts_as_one_that_has_answered(fleet: Fleet) -> None:
    fleet.fails = AnsibleConnectionFailure("gone")
    with pytest.raises(AnsibleConnectionFailure):
        fleet.stage()
    assert fleet.ledger().arrived == {"a-1": ""}
    assert fleet.sent == []


@pytest.mark.parametrize(
    "more",
    [
        {"stage": False}, {"state": "previous"}, {"state": "absent"}, {"node_role": "neither"},
        {"credential_store": True}, {"rehearse": {"images": []}}, {"validate_only": True},
    ],
)  # fmt: skip
def test_what_no_snapshot_can_tell_asks_in_full(fleet: Fleet, more: dict[str, Any]) -> None:
    fleet.more = more
    fleet.stage()
    assert fleet.commands == []
    assert all("snapshot" not in sent for sent in fleet.sent)


def test_the_configuration_is_prepared_once_for_all_hosts(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[int] = []
    original = k3s_registries.prepare

    def count(*arguments: Any, **named: Any) -> Any:
        prepared.append(1)
        return original(*arguments, **named)

    fleet.says = fleet.unchanged()
    for path in fleet.folder.iterdir():
        path.unlink()
    monkeypatch.setattr(k3s_registries, "prepare", count)
    fleet.hosts = ["a-%d" % number for number in range(5)]
    for host in fleet.hosts:
        fleet.stage(host)
    assert fleet.sent == []
    assert prepared == [1]


def test_a_mistake_is_told_by_every_host(fleet: Fleet) -> None:
    fleet.hosts = ["a-1", "a-2"]
    fleet.more = {"config": {"mirrors": {"docker.io": {"endpoint": ["ftp://r"]}}}}
    for host in fleet.hosts:
        result = fleet.stage(host)
        assert result["failed"]
        assert "nothing has been touched" in result["msg"]
    assert fleet.ledger().refused == fleet.hosts
    assert (fleet.commands, fleet.sent) == ([], [])
    fleet.more = {"keep_generations": 0}
    for host in fleet.hosts:
        with pytest.raises(AnsibleActionFail, match="keep_generations"):
            fleet.stage(host)


def test_a_fleet_keeps_to_one_salt(fleet: Fleet) -> None:
    fleet.says = fleet.unchanged()
    salt = fleet.says.split()[1]
    for path in fleet.folder.iterdir():
        # Another run.
        path.unlink()
    fleet.hosts = ["a-1", "a-2"]
    fleet.stage("a-1")
    fleet.says = ""
    fleet.stage("a-2")
    assert [sent["snapshot"].split()[0] for sent in fleet.sent] == [salt]


@pytest.mark.parametrize("as_text", [False, True])
def test_no_secret_is_kept_for_other_processes_or_shown(fleet: Fleet, as_text: bool) -> None:
    text = "mirrors: {docker.io: {endpoint: ['https://r']}}\nconfigs:\n  r:\n    auth: {username: a, password: %s}\n"
    if as_text:
        fleet.more = {"config": text % PASSWORD}
    # The root of a node may put what he knows anywhere.
    fleet.says = fleet.unchanged(registries=["docker.io", "is %s" % PASSWORD], service=PASSWORD)
    result = fleet.stage()
    assert fleet.sent == []
    assert PASSWORD not in repr(result)
    assert result["registries"][0] == "docker.io"
    for path in fleet.folder.iterdir():
        assert PASSWORD not in path.read_text(encoding="utf-8")
        assert path.stat().st_mode & 0o077 == 0
    assert all(PASSWORD not in line for line in fleet.commands)
