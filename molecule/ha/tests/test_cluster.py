# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout must never do to a cluster of several servers, from the nodes' own journals and the cluster's API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fleet import events, nodes, state
from tests.fleet.state import Fleet

NAME = "ha"
SERVERS = ("server-1", "server-2", "server-3")
AGENT_BATCH = 2


@pytest.fixture(scope="module")
def cluster() -> Fleet:
    return state.load(NAME)


@pytest.fixture(scope="module")
def report(cluster: Fleet) -> dict[str, Any]:
    return events.report(cluster)


def test_no_two_servers_were_ever_away_at_once(report: dict[str, Any]) -> None:
    assert [pair for pair in report["overlapping"] if set(pair["roles"]) == {"server"}] == []


def test_no_agent_was_away_beside_a_server(report: dict[str, Any]) -> None:
    assert [pair for pair in report["overlapping"] if set(pair["roles"]) == {"server", "agent"}] == []


def test_agents_went_in_batches(report: dict[str, Any]) -> None:
    absences = [
        (absence["since"], absence["until"])
        for node in report["nodes"].values()
        if node["role"] == "agent"
        for absence in node["absences"]
    ]
    at_once = max(sum(1 for since, until in absences if since <= moment < until) for moment, _unused in absences)
    assert at_once <= AGENT_BATCH


def test_every_node_was_restarted_at_least_once(report: dict[str, Any]) -> None:
    assert all(node["absences"] for node in report["nodes"].values())


def test_every_server_is_ready_and_votes(cluster: Fleet) -> None:
    said = nodes.execute(cluster, "server-1", ["k3s", "kubectl", "get", "nodes", "-o", "json"]).stdout
    found = {item["metadata"]["name"]: item["status"]["conditions"] for item in json.loads(said)["items"]}
    for name, conditions in found.items():
        states = {condition["type"]: condition["status"] for condition in conditions}
        assert states["Ready"] == "True", name
        if name in SERVERS:
            assert states["EtcdIsVoter"] == "True", name
    assert len(found) == 6


def test_the_configuration_is_the_first_one(cluster: Fleet) -> None:
    """After converge, and again after the way back."""
    for node in cluster.nodes:
        drop_in = nodes.execute(
            cluster,
            node.name,
            ["test", "-e", "/etc/rancher/k3s/config.yaml.d/90-k3sfleet-registries.yaml"],
            check=False,
        )
        assert drop_in.returncode == 1, node.name
