# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes on which nothing of ours is: before the first run and check mode's, and after the removal."""

from __future__ import annotations

from typing import Any

import pytest

CONFIG = "/etc/rancher/k3s"
CONTAINERD = "/var/lib/rancher/k3s/agent/etc/containerd"


@pytest.mark.parametrize(
    "path", ["registries.yaml", "registry-certs", "k3sfleet", "config.yaml.d/90-k3sfleet-registries.yaml"]
)
def test_nothing_of_ours_is_there(node: Any, path: str) -> None:
    assert not node.file("%s/%s" % (CONFIG, path)).exists


def test_no_file_below_etc_names_the_collection(node: Any) -> None:
    assert node.run("grep -rl k3sfleet.registries /etc/rancher").stdout == ""


def test_containerd_knows_no_registry(node: Any) -> None:
    assert node.run("find %s -name hosts.toml" % CONTAINERD).stdout == ""
    assert "auth" not in node.file(CONTAINERD + "/config.toml").content_string


def test_what_others_made_is_still_there(node: Any) -> None:
    foreign = node.file(CONFIG + "/config.yaml.d/10-operator.yaml")
    assert foreign.content_string == "node-label:\n  - site=lab\n"
    assert foreign.mode == 0o600


def test_k3s_runs(node: Any) -> None:
    assert node.service("k3s" if node.fleet_name.startswith("server") else "k3s-agent").is_running
