# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes a node and what reports on it decide from one prediction: their answers agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, NamedTuple

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import health, kubernetes, stage
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.health import Health
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.host_configs import merge
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.prepare import Settings
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.decode import decode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.encode import encode

from tests.unit.plugins.module_utils._node.fake_node import of_config
from tests.unit.plugins.plugin_utils._info.node import Node, managed


class Surroundings(NamedTuple):
    """K3s' settings as they stand on the node, and where its embedded registry therefore is."""

    role: str
    config_yaml: str
    command: tuple[str, ...]
    default_endpoint: bool
    embedded: str


def _surroundings() -> Iterator[Surroundings]:
    for default_endpoint in (True, False):
        off = "" if default_endpoint else "disable-default-registry-endpoint: true\n"
        for text, command, address in (
            ("", (), ""),
            ("embedded-registry: true\nservice-cidr: 10.43.0.0/16\n", (), "127.0.0.1:6443"),
            ("embedded-registry: true\nhttps-listen-port: 7443\n", (), "127.0.0.1:7443"),
            ("embedded-registry: true\nhttps-listen-port: 7443\n", ("--https-listen-port", "8443"), "127.0.0.1:8443"),
            ("embedded-registry: true\nservice-cidr: fd00:43::/112\n", (), "[::1]:6443"),
            ("embedded-registry: true\nnode-ip: fd00::1\nsupervisor-port: 9345\n", (), "[::1]:9345"),
            ("https-listen-port: 7443\n", ("--embedded-registry",), "[::1]:7443"),
        ):
            yield Surroundings("server", off + text, command, default_endpoint, address)
        # An agent is told by its server: its own files say nothing about it.
        for address in ("", "127.0.0.1:6443", "127.0.0.1:7443", "[::1]:6443", "127.0.0.1:9345"):
            yield Surroundings("agent", off, (), default_endpoint, address)


SURROUNDINGS = list(_surroundings())
NAMES = ["%s, %s, %s" % (item.role, item.embedded or "off", item.default_endpoint) for item in SURROUNDINGS]
CONFIGS: dict[str, Any] = {
    "a mirror": {"mirrors": {"docker.io": {"endpoint": ["https://r.example.com:5000"]}}},
    "the wildcard": {"mirrors": {"*": {"endpoint": ["https://r.example.com:5000/v2"]}}},
    "no endpoints": {"mirrors": {"docker.io": None}},
    "credentials": {"configs": {"r.example.com": {"auth": {"username": "u", "password": "p"}}}},
    "a local registry": {"mirrors": {"localhost:5000": {"endpoint": ["http://127.0.0.1:5000"]}}},
    "loopback as a mirror": {"mirrors": {"docker.io": {"endpoint": ["https://127.0.0.1:6443"]}}},
}


class BothHalves:
    """A running node, asked by what stages and by what reports."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, around: Surroundings) -> None:
        self.node = Node(root, monkeypatch, around.role)
        self.node.default_endpoint, self.node.embedded = around.default_endpoint, around.embedded
        self.node.command += around.command
        if around.config_yaml:
            self.node.write(around.config_yaml, self.node.paths.config_dir + "/config.yaml")
        monkeypatch.setattr(health, "observe", lambda *given: Health(("well",), ""))
        monkeypatch.setattr(health, "containerd_ready", lambda *given: True)
        monkeypatch.setattr(kubernetes, "node_name", lambda paths: "node")
        monkeypatch.setattr(stage.installed_release, "installed", lambda paths, keep: self.node.release)

    def put(self, config: Any, age: float = -100.0) -> None:
        self.node.write(managed(encode(normalise(config))), age=age)

    def restart_wanted(self, config: Any, **settings: Any) -> tuple[bool, list[str]]:
        desired = of_config(config)
        desired.settings.update({**vars(Settings()), **settings})
        found = stage.stage(self.node.identity(), desired, in_place=False, check_mode=True)
        return found["restart"], found["reasons"]

    def loaded(self) -> bool:
        return str(self.node.info()["state"]) == "loaded"


def agree(halves: BothHalves, config: Any, another: dict[str, Any], **settings: Any) -> None:
    halves.put(config)
    halves.node.start()
    assert (halves.restart_wanted(config, **settings), halves.loaded()) == ((False, []), True)
    # Somebody changes the file without a restart.
    halves.put(another, age=100)
    assert halves.restart_wanted(another, **settings)[0] is not halves.loaded()


@pytest.mark.parametrize("around", SURROUNDINGS, ids=NAMES)
@pytest.mark.parametrize("name", CONFIGS)
def test_both_say_loaded_or_both_say_pending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, around: Surroundings
) -> None:
    agree(BothHalves(tmp_path, monkeypatch, around), CONFIGS[name], CONFIGS["the wildcard"])


@pytest.mark.vectors("host_configs.json")
def test_for_every_configuration_of_k3s_own_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: dict[str, Any]
) -> None:
    config = decode(case["registries_yaml"].encode())
    for number, around in enumerate(SURROUNDINGS):
        if any("/" in host for host in merge(config, around.default_endpoint, around.embedded)[0]):
            # Such a key becomes a folder of folders, which nobody can have put there by hand.
            continue
        with monkeypatch.context() as patched:
            folder = tmp_path / str(number)
            folder.mkdir()
            halves = BothHalves(folder, patched, around)
            halves.put(config)
            halves.node.start()
            assert (halves.restart_wanted(config), halves.loaded()) == ((False, []), True), around


@pytest.mark.parametrize(
    ("around", "settings", "reason"),
    [
        # Off is not "on at another port", and another port is not off.
        (SURROUNDINGS[0], {"embedded_registry": True}, "certs.d/127.0.0.1:6443/hosts.toml is not there"),
        (SURROUNDINGS[2], {"embedded_registry": False}, "certs.d/127.0.0.1:7443/hosts.toml belongs to an earlier"),
        (SURROUNDINGS[4], {"embedded_registry": False}, "certs.d/[::1]:6443/hosts.toml belongs to an earlier"),
        (SURROUNDINGS[9], {"embedded_registry": False}, "certs.d/127.0.0.1:7443/hosts.toml belongs to an earlier"),
        (SURROUNDINGS[0], {"disable_default_endpoint": True}, "certs.d/docker.io/hosts.toml has"),
    ],
)
def test_a_setting_that_changes_what_k3s_generates_wants_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, around: Surroundings, settings: dict[str, Any], reason: str
) -> None:
    halves = BothHalves(tmp_path, monkeypatch, around)
    halves.put(CONFIGS["a mirror"])
    halves.node.start()
    wanted, reasons = halves.restart_wanted(CONFIGS["a mirror"], **settings)
    assert wanted
    assert reason in "; ".join(reasons)


def test_an_agent_does_not_guess_where_its_server_has_the_embedded_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves = BothHalves(tmp_path, monkeypatch, SURROUNDINGS[7])
    halves.put(CONFIGS["a mirror"])
    halves.node.start()
    wanted = halves.restart_wanted(CONFIGS["a mirror"], embedded_registry=True)
    assert wanted == (True, ["the embedded registry is off and comes on, where the node's server has it"])
    halves.node.embedded = "[::1]:7443"
    halves.node.start()
    assert halves.restart_wanted(CONFIGS["a mirror"], embedded_registry=True) == (False, [])


def test_a_setting_that_counts_more_than_the_drop_in_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    halves = BothHalves(tmp_path, monkeypatch, SURROUNDINGS[0])
    halves.node.command.append("--disable-default-registry-endpoint=false")
    halves.put(CONFIGS["a mirror"])
    halves.node.start()
    with pytest.raises(
        stage.StageRefused, match="the command line of k3s sets disable-default-registry-endpoint to false"
    ):
        halves.restart_wanted(CONFIGS["a mirror"], disable_default_endpoint=True)
