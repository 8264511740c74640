# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes without systemd, as on Alpine: Debian's OpenRC is the first process and supervises K3s (the stand-in)."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.fleet import faults
from tests.integration.cluster import REMOVE, SITE, Cluster
from tests.integration.nodes.two_nodes import two_nodes

NAME = "openrc"
CONFIG = "/etc/rancher/k3s"
# supervise-daemon stays when K3s is started again by it; a restart of the service starts both anew.
SUPERVISOR = "cat /run/k3s*.pid"


@pytest.fixture(scope="module")
def openrc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with two_nodes(NAME, tmp_path_factory.mktemp("openrc"), init="openrc") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def configured(openrc: Cluster) -> Cluster:
    before = openrc.everywhere(SUPERVISOR)
    run = openrc.play(SITE).ok()
    assert run.output.count("restarted and healthy") == 2
    assert run.output.count("pulled docker.io/rancher/mirrored-pause:3.6") == 2
    after = openrc.everywhere(SUPERVISOR)
    assert all(after[name] != before[name] for name in openrc.names)
    return openrc


def test_there_is_no_systemd(configured: Cluster) -> None:
    assert set(configured.everywhere("cat /proc/1/comm").values()) == {"openrc-init\n"}


def test_an_unchanged_node_is_left_alone(configured: Cluster) -> None:
    before = configured.everywhere(SUPERVISOR)
    assert set(configured.play(SITE).ok().changed.values()) == {0}
    assert configured.everywhere(SUPERVISOR) == before
    # Whether its service has been restarted takes Python to tell, so it keeps no snapshot and is asked in full.
    assert not any(configured.exists(name, CONFIG + "/k3sfleet/snapshot") for name in configured.names)


def test_a_node_that_does_not_become_healthy_is_put_back(configured: Cluster) -> None:
    registries = configured.read("server-1", CONFIG + "/registries.yaml")
    agent = configured.sh("agent-1", SUPERVISOR)
    wanted = {"k3s_registries": dict(configured.variables["k3s_registries"])}
    wanted["k3s_registries"]["mirrors"] = {
        **wanted["k3s_registries"]["mirrors"],
        "fault.test": {"endpoint": ["https://elsewhere.test"]},
    }
    faults.set_fault(configured.fleet, "server-1", "hang", mentions="fault.test")
    try:
        run = configured.play(SITE, variables={**wanted, "k3s_registries_restart_timeout": 10}).refused()
    finally:
        faults.set_fault(configured.fleet, "server-1", "clear")
    said = " ".join(run.output.split())
    assert "[1/2] server-1 FAILED" in said
    assert "The node was put back as it was and is healthy" in said
    assert configured.read("server-1", CONFIG + "/registries.yaml") == registries
    assert configured.sh("agent-1", SUPERVISOR) == agent
    assert set(configured.play(SITE).ok().changed.values()) == {0}


def test_a_crash_loop_is_put_back(configured: Cluster) -> None:
    wanted = {"k3s_registries": dict(configured.variables["k3s_registries"])}
    wanted["k3s_registries"]["mirrors"] = {
        **wanted["k3s_registries"]["mirrors"],
        "fault.test": {"endpoint": ["https://elsewhere.test"]},
    }
    faults.set_fault(configured.fleet, "agent-1", "crash-loop", mentions="fault.test")
    try:
        run = configured.play(SITE, variables={**wanted, "k3s_registries_restart_timeout": 12}).refused()
    finally:
        faults.set_fault(configured.fleet, "agent-1", "clear")
    assert run.failed == ["agent-1"]
    assert "The node was put back as it was and is healthy" in " ".join(run.output.split())
    configured.play(SITE).ok()


def test_a_service_that_was_stopped_on_purpose_stays_so(configured: Cluster) -> None:
    configured.sh("agent-1", "rc-service k3s-agent stop")
    run = configured.play(SITE, variables={"k3s_registries_disable_default_endpoint": True}).ok()
    assert "Rollout plan: 1 of 2 nodes restart" in run.output
    assert "stopped" in configured.sh("agent-1", "! rc-service k3s-agent status")
    assert configured.exists("agent-1", CONFIG + "/config.yaml.d/90-k3sfleet-registries.yaml")
    configured.sh("agent-1", "rc-service k3s-agent start")


def test_removal_leaves_nothing(configured: Cluster) -> None:
    configured.play(REMOVE).ok()
    for name in configured.names:
        assert configured.sh(name, "find %s -name '*registr*' -o -name k3sfleet" % CONFIG).strip() == ""
