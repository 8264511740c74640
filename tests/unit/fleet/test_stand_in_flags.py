# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in reads K3s' flags as K3s does, and tells its nodes about the embedded registry what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest
from stand_in import cluster_config, flags, node

Make = Callable[..., flags.Flags]


@pytest.fixture
def read(tmp_path: Path) -> Make:
    """Flags from a text of config.yaml, drop-ins, the command line and the environment."""

    def make(
        config: str = "",
        *arguments: str,
        drop_ins: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
        program: str = "k3s",
        command: str = "server",
    ) -> flags.Flags:
        path = tmp_path / "config.yaml"
        path.write_text(config)
        folder = tmp_path / "config.yaml.d"
        folder.mkdir(exist_ok=True)
        for name, text in (drop_ins or {}).items():
            (folder / name).write_text(text)
        return flags.Flags(program, command, ["--config", str(path), *arguments], environment or {})

    return make


def test_later_config_files_win_and_plus_appends(read: Make) -> None:
    drop_ins = {
        "20.yaml": "disable-default-registry-endpoint: true\n",
        "10.YML": "disable-default-registry-endpoint: false\nnode-label+: [b]\n",
        "30.txt": "debug: true\n",
    }
    found = read("disable-default-registry-endpoint: false\nnode-label: [a]\n", "--rootless", drop_ins=drop_ins)
    assert found.true("disable-default-registry-endpoint")
    assert found.items("node-label") == ["a", "b"]
    assert found.true("rootless")
    assert not found.true("debug")


def test_command_line_wins_over_the_files_and_both_over_the_environment(read: Make) -> None:
    environment = {"K3S_DATA_DIR": "/from/environment", "K3S_URL": "https://one.test:7443"}
    assert read("data-dir: /file\n", "-d", "/line", environment=environment).text("data-dir") == "/line"
    found = read("data-dir: /file\n", environment=environment)
    assert (found.text("data-dir"), found.text("server")) == ("/file", "https://one.test:7443")
    assert read(environment=environment).text("data-dir") == "/from/environment"


def test_lists_are_joined_and_the_files_come_first(read: Make) -> None:
    found = read("service-cidr: 10.43.0.0/16\n", "--service-cidr=fd00:43::/112,10.44.0.0/16")
    assert found.items("service-cidr") == ["10.43.0.0/16", "fd00:43::/112", "10.44.0.0/16"]


@pytest.mark.parametrize(
    ("config", "command", "program", "said"),
    [
        ("embedded-registry: true\n", "agent", "k3s", "flag provided but not defined: -embedded-registry"),
        ("a: b: c\n", "server", "k3s", "mapping values are not allowed"),
        ("- a\n", "server", "k3s", "cannot unmarshal into yaml.MapSlice"),
    ],
)
def test_what_k3s_does_not_start_with(read: Make, config: str, command: str, program: str, said: str) -> None:
    with pytest.raises(flags.FlagError, match=said):
        read(config, command=command, program=program)


@pytest.mark.parametrize("text", ["embedded-registry:\n", "embedded-registry: 'yes'\n"])
def test_a_boolean_that_go_refuses(read: Make, text: str) -> None:
    with pytest.raises(flags.FlagError, match="invalid boolean value"):
        read(text).true("embedded-registry")


def test_rke2_skips_the_port_in_its_file_and_refuses_it_on_its_command_line(read: Make) -> None:
    assert read("https-listen-port: 7443\n", program="rke2").unknown == ["https-listen-port"]
    with pytest.raises(flags.FlagError, match="-https-listen-port"):
        read("", "--https-listen-port=7443", program="rke2")


@pytest.fixture
def server(read: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., node.Node]:
    def make(config: str, program: str = "k3s", address: str = "10.0.0.1", **more: Any) -> node.Node:
        facts = {
            "program": program, "release": "v1", "name": "server-1", "address": address,
            "servers": {"server-1": address}, "token": "t", "grace_seconds": 40,
        }  # fmt: skip
        (tmp_path / "node.json").write_text(json.dumps(facts))
        monkeypatch.setattr(node, "FACTS", str(tmp_path / "node.json"))
        found = read(config, program=program, **more)
        monkeypatch.setattr(node, "Flags", lambda *_: found)
        return node.Node("server")

    return make


@pytest.mark.parametrize(
    ("config", "more", "mirror"),
    [
        ("", {}, ""),
        ("https-listen-port: 7443\n", {}, ""),
        ("embedded-registry: true\n", {}, "127.0.0.1:6443"),
        ("embedded-registry: yes\nhttps-listen-port: 7443\nbind-address: 10.0.0.1\n", {}, "127.0.0.1:7443"),
        ("embedded-registry: true\n", {"environment": {"K3S_SUPERVISOR_PORT": "9000"}}, "127.0.0.1:9000"),
        ("embedded-registry: true\nservice-cidr: fd00:43::/112\n", {}, "[::1]:6443"),
        ("embedded-registry: true\nservice-cidr: [fd00:43::/112, 10.43.0.0/16]\n", {}, "[::1]:6443"),
        ("embedded-registry: true\nservice-cidr: 10.43.0.0/16,fd00:43::/112\n", {}, "127.0.0.1:6443"),
        ("embedded-registry: true\nnode-ip: fd00::1,10.0.0.1\n", {}, "[::1]:6443"),
        ("embedded-registry: true\n", {"address": "fd00::1"}, "[::1]:6443"),
        ("embedded-registry: true\n", {"program": "rke2"}, "127.0.0.1:9345"),
        ("embedded-registry: true\nhttps-listen-port: 7443\n", {"program": "rke2"}, "127.0.0.1:9345"),
    ],
)
def test_where_the_embedded_registry_is(server: Any, config: str, more: dict[str, Any], mirror: str) -> None:
    told = json.loads(json.dumps(cluster_config.answer(server(config, **more))))
    assert cluster_config.read(told).mirror == mirror
