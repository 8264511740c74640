# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of Debian 13, as the other fleets are of Debian 12: Python 3.13, containerd 1.7, systemd 257, dash 0.5.12."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.integration.cluster import REMOVE, SITE, Cluster
from tests.integration.nodes.two_nodes import two_nodes

CONFIG = "/etc/rancher/k3s"
VERIFY = "playbooks/verify.yml"
DIAGNOSE = "playbooks/diagnose.yml"
GONE = "docker.io/rancher/none:1"


@pytest.fixture(scope="module")
def debian13(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with two_nodes("debian13", tmp_path_factory.mktemp("debian13"), suite="trixie") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def configured(debian13: Cluster) -> Cluster:
    run = debian13.play(SITE).ok()
    assert debian13.restarts(run.began) == {"server-1": 1, "agent-1": 1}
    assert run.output.count("pulled docker.io/rancher/mirrored-pause:3.6") == 2
    return debian13


def test_it_is_debian_13(configured: Cluster) -> None:
    said = configured.sh(
        "agent-1", "cat /etc/debian_version; python3 --version; containerd --version; systemctl --version"
    )
    assert said.startswith("13.")
    assert "Python 3.13." in said
    assert "containerd 1.7." in said
    assert "systemd 257" in said


def test_an_unchanged_node_takes_one_command(configured: Cluster) -> None:
    # The first one finds that the node has everything, and writes that down.
    assert set(configured.play(SITE).ok().changed.values()) == {0}
    run = configured.play(SITE).ok()
    assert set(run.changed.values()) == {0}
    assert configured.commands(run.began) == {"server-1": 1, "agent-1": 1}


def test_it_verifies_and_explains(configured: Cluster) -> None:
    assert "all 2 nodes pass" in configured.play(VERIFY).ok().output
    configured.sh("agent-1", "! k3s crictl pull %s" % GONE)
    assert "not_found" in configured.play(DIAGNOSE).ok().output


def test_mirrors_change_without_a_restart(configured: Cluster) -> None:
    wanted = {"k3s_registries": dict(configured.variables["k3s_registries"]), "k3s_registries_apply": "live"}
    mirrors = wanted["k3s_registries"]["mirrors"]
    wanted["k3s_registries"]["mirrors"] = {**mirrors, "more.test": mirrors["docker.io"]}
    run = configured.play(SITE, variables=wanted).ok()
    assert configured.restarts(run.began) == {"server-1": 0, "agent-1": 0}
    assert run.output.count("changed without a restart") == 2


def test_a_node_that_cannot_pull_is_put_back(configured: Cluster) -> None:
    configured.play(SITE).ok()
    before = configured.read("server-1", CONFIG + "/registries.yaml")
    wanted = {"k3s_registries_canary_images": [GONE], "k3s_registries_disable_default_endpoint": True}
    run = configured.play(SITE, variables=wanted).refused()
    assert "server-1 FAILED" in run.output
    assert "The node was put back as it was and is healthy" in " ".join(run.output.split())
    assert configured.read("server-1", CONFIG + "/registries.yaml") == before
    assert set(configured.play(SITE).ok().changed.values()) == {0}


def test_removal_leaves_nothing(configured: Cluster) -> None:
    configured.play(REMOVE).ok()
    for name in configured.names:
        assert configured.sh(name, "find %s -name '*registr*' -o -name k3sfleet" % CONFIG).strip() == ""
