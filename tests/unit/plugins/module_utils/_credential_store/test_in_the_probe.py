# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe asks the hosts of stored registries with the store's credentials."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.in_the_probe import auth
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.store import Login, Store
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths, node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import PlannedHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise

HARBOR = "harbor.example.com"


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    found = node_paths(config_dir=str(tmp_path / "etc"))
    Path(found.state_dir).mkdir(parents=True, mode=0o700)
    return found


def passwords(paths: NodePaths, stored: Store, key: str = HARBOR) -> dict[str, str]:
    """By key of ``configs``; containerd has read `old`."""
    login = {"username": "robot", "password": "old"}
    config = normalise({
        "mirrors": {"images.test": {"endpoint": ["https://" + HARBOR]}},
        "configs": {key: {"auth": login}, "b.example.com": {"auth": login}},
    })  # fmt: skip
    Path(paths.credential_store).write_bytes(stored.content())
    Path(paths.credential_store).chmod(0o600)
    return {key: table["password"] for key, table in auth(PlannedHosts(config, False), paths).items()}


def test_those_of_the_store_count_for_the_hosts_of_its_registries(paths: NodePaths) -> None:
    store = Store({"images.test": Login("robot", "new")})
    assert passwords(paths, store) == {HARBOR: "new", "b.example.com": "old"}


def test_docker_hub_has_its_credentials_under_the_key_that_counts(paths: NodePaths) -> None:
    store = Store({"docker.io": Login("robot", "new")})
    assert passwords(paths, store, "docker.io") == {"docker.io": "new", "b.example.com": "old"}


def test_a_damaged_store_changes_nothing(paths: NodePaths) -> None:
    node = PlannedHosts(normalise({"configs": {HARBOR: {"auth": {"username": "robot", "password": "old"}}}}))
    Path(paths.credential_store).write_text("damaged", encoding="utf-8")
    assert auth(node, paths) == node.auth
