# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node may ask back before it has its providers, and what it gets."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import config_yaml, programs
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.arrival import question
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import (
    Declared,
    Provider,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired, from_text
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths, node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.sealed import new_key
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.prepare import Settings, settings_only
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.provider_exchange import answered

SCRIPT = b"#!/bin/sh\n"
SUM = hashlib.sha256(SCRIPT).hexdigest()
PROVIDER = Provider("ecr", "", ("registry.example.com",), "5m", env=(("TOKEN", "canary-1"),))
WANTED = replace(settings_only(Settings()), providers=(Declared(PROVIDER, {"*": SUM}),))


class FakeNode:
    """The module on a node, as far as it asks back."""

    def __init__(self, tmp_path: Path) -> None:
        folder = tmp_path / "credentialprovider"
        config_dir = tmp_path / "etc"
        config_dir.mkdir()
        self.paths: NodePaths = node_paths(
            config_dir=str(config_dir),
            provider_config=str(folder / "config.yaml"),
            provider_bin_dir=str(folder / "bin"),
        )
        self.config = folder / "config.yaml"
        self.program = tmp_path / "arrived"
        self.program.write_bytes(SCRIPT)
        self.asked = 0
        self.sent: list[str] = []
        self.staged: Desired | None = None

    def execute(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        desired = from_text(arguments["prepared"])
        more = question(
            self.paths,
            desired,
            arrived=arguments.get("programs", {}),
            adopt=True,
            check_mode=False,
            key=arguments["key"],
        )
        if not more:
            self.staged = desired
        return more or {"changed": True}

    def send(self, checksums: list[str]) -> dict[str, str]:
        self.sent += checksums
        return {sha256: str(self.program) for sha256 in checksums}

    def run(self, desired: Desired = WANTED) -> dict[str, Any]:
        return answered(self.execute, {"prepared": desired.text(), "key": new_key()}, desired, self.send)


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path)


def test_a_program_travels_once(node: FakeNode) -> None:
    assert node.run() == {"changed": True}
    assert (node.asked, node.sent) == (2, [SUM])
    assert programs.missing(node.paths.provider_bin_dir, [PROVIDER._replace(sha256=SUM)]) == []
    assert node.run() == {"changed": True}
    assert (node.asked, node.sent) == (3, [SUM])


def test_a_program_that_lies_there_already_does_not_travel(node: FakeNode) -> None:
    path = Path(node.paths.provider_bin_dir, "ecr")
    path.parent.mkdir(parents=True)
    path.write_bytes(SCRIPT)
    path.chmod(0o755)
    assert node.run() == {"changed": True}
    assert (node.asked, node.sent) == (1, [])


def test_without_providers_nothing_is_asked(node: FakeNode) -> None:
    assert node.run(settings_only(Settings())) == {"changed": True}
    assert not node.config.parent.exists()
    assert answered(lambda _arguments: {"lacks_programs": [SUM]}, {}, None, node.send) == {"lacks_programs": [SUM]}


def test_a_damaged_program_is_refused(node: FakeNode) -> None:
    node.program.write_bytes(b"half")
    with pytest.raises(FileProblem, match="did not arrive as it was sent"):
        node.run()


@pytest.mark.parametrize("lacking", [["0" * 64], [], "x", [{}]])
def test_a_node_gets_no_file_that_it_is_not_to_have(node: FakeNode, lacking: Any) -> None:
    found = answered(lambda _arguments: {"lacks_programs": lacking}, {"key": ""}, WANTED, node.send)
    assert found["failed"]
    assert node.sent == []


def test_a_node_that_keeps_asking_is_told_so(node: FakeNode) -> None:
    found = answered(lambda _arguments: {"lacks_programs": [SUM]}, {"key": ""}, WANTED, node.send)
    assert "keeps asking" in found["msg"]


def test_a_configuration_that_says_the_same_is_taken_over(node: FakeNode) -> None:
    node.config.parent.mkdir()
    text = config_yaml.text([PROVIDER]).replace("# Managed", "# Mine").replace('"', "'").replace("'5m'", "300s")
    node.config.write_text(text)
    assert node.run() == {"changed": True}
    assert node.staged is not None
    assert node.staged.settings["same_providers"] == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[",
        "a: *b",
        "- 1\n",
        "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\n",
    ],
)
def test_any_other_stops_the_run_and_is_not_shown(node: FakeNode, text: str) -> None:
    node.config.parent.mkdir()
    node.config.write_text(text + "# canary-2\n")
    found = node.run()
    assert "does not say what k3s_registries_credential_providers says" in found["msg"]
    assert str(node.config) in found["msg"]
    assert "canary" not in found["msg"]
    assert node.staged is None


def test_a_broken_seal_is_no_answer(node: FakeNode) -> None:
    found = answered(lambda _arguments: {"foreign_providers": "x"}, {"key": new_key()}, WANTED, node.send)
    assert "damaged" in found["msg"]
