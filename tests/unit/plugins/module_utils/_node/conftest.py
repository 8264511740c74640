# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of the node's tests."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import (
    commit,
    generated,
    health,
    installed_release,
    kubernetes,
    members,
    stage,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths, node_paths

from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    providers = tmp_path / "var/lib/rancher/credentialprovider"
    return node_paths(
        node_role="server",
        config_dir=str(tmp_path / "etc/rancher/k3s"),
        data_dir=str(tmp_path / "var/lib/rancher/k3s"),
        provider_config=str(providers / "config.yaml"),
        provider_bin_dir=str(providers / "bin"),
    )


@pytest.fixture
def k3s(paths: NodePaths, monkeypatch: pytest.MonkeyPatch) -> FakeK3s:
    fake = FakeK3s(paths)
    os.makedirs(paths.config_dir)
    fake.load()
    monkeypatch.setattr(commit, "service_of", lambda name: fake)
    monkeypatch.setattr(stage, "service_of", lambda name: fake)
    monkeypatch.setattr(health, "observe", fake.observe)
    monkeypatch.setattr(health, "containerd_ready", lambda paths, service: bool(fake.observe(paths, service).proven))
    monkeypatch.setattr(kubernetes, "kubelet_answers", lambda: False)
    monkeypatch.setattr(members, "look", lambda paths, supervisor: fake.look())
    monkeypatch.setattr(kubernetes, "crictl", fake.crictl)
    monkeypatch.setattr(kubernetes, "api_ready", lambda paths: not fake.hanging)
    monkeypatch.setattr(kubernetes, "node_name", lambda paths: "node")
    monkeypatch.setattr(installed_release, "installed", lambda paths, keep: "v1.34.3+k3s1")
    monkeypatch.setattr(generated, "read_auth_tables", json.loads)
    return fake


@pytest.fixture
def node(paths: NodePaths, k3s: FakeK3s) -> Node:
    return Node(paths, k3s)
