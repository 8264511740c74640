# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes are cordoned around their restart and uncordoned after it, whatever happens, unless somebody else did it."""

from __future__ import annotations

import copy
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator

import pytest

from tests.fleet import faults
from tests.integration.cluster import SITE, Cluster

pytestmark = pytest.mark.nightly
_CORDON = {"k3s_registries_cordon": True}
_LOG = "/tmp/cordons"
_WATCH = "systemd-run --quiet --unit=cordons sh -c 'while sleep 0.5; do k3s kubectl get nodes; done >%s 2>&1'" % _LOG


@pytest.fixture
def server(configured: Cluster) -> Iterator[str]:
    """The server, which keeps a log of who was cordoned."""
    name = next(name for name in configured.names if name not in configured.agents)
    configured.sh(name, _WATCH)
    yield name
    configured.sh(name, "systemctl stop cordons; rm -f " + _LOG)
    for node in configured.names:
        _by_hand(configured, name, node, False)


def _by_hand(cluster: Cluster, server: str, node: str, cordoned: bool) -> None:
    patch = json.dumps({"spec": {"unschedulable": cordoned or None}})
    cluster.sh(server, "k3s kubectl patch node %s --type=merge --patch='%s'" % (node, patch))


def _cordoned(cluster: Cluster, server: str) -> dict[str, str]:
    """The nodes that are cordoned now, and by whom of ours."""
    nodes = json.loads(cluster.sh(server, "k3s kubectl get nodes --output=json"))["items"]
    return {
        node["metadata"]["name"]: node["metadata"].get("annotations", {}).get("k3sfleet.registries/cordoned-by", "")
        for node in nodes
        if node["spec"].get("unschedulable")
    }


def _were_cordoned(cluster: Cluster, server: str) -> set[str]:
    lines = cluster.read(server, _LOG).splitlines()
    return {line.split()[0] for line in lines if "SchedulingDisabled" in line}


def _with_mirror(cluster: Cluster, name: str) -> dict[str, Any]:
    """Variables that make every node restart."""
    config = copy.deepcopy(cluster.variables["k3s_registries"])
    config["mirrors"][name] = {"endpoint": ["https://%s.example.com" % name.partition(".")[0]]}
    return {**_CORDON, "k3s_registries": config}


def test_nodes_are_cordoned_while_they_restart_and_somebody_elses_cordon_stays(
    configured: Cluster, server: str
) -> None:
    first, last = configured.agents
    _by_hand(configured, server, last, True)
    variables = {**_with_mirror(configured, "cordon.test"), "k3s_registries_agent_batch": "2"}
    run = configured.play(variables=variables).ok()
    assert configured.restarts(run.began) == dict.fromkeys(configured.names, 1)
    assert "each is cordoned before its restart, and uncordoned when it is healthy" in run.output
    assert _were_cordoned(configured, server) == {server, first, last}
    assert _cordoned(configured, server) == {last: ""}
    assert set(configured.play(variables=variables).ok().changed.values()) == {0}


def test_a_node_that_is_rolled_back_is_uncordoned(configured: Cluster, server: str) -> None:
    first = configured.agents[0]
    variables = _with_mirror(configured, "failing.test")
    variables["k3s_registries_canary"] = first
    variables["k3s_registries_canary_images"] = ["docker.io/rancher/no-such-image:1"]
    run = configured.play(SITE, "-v", variables=variables).refused()
    assert "[1/3] %s FAILED" % first in run.output
    assert _were_cordoned(configured, server) == {first}
    assert _cordoned(configured, server) == {}
    configured.play().ok()


def test_a_node_that_loses_its_power_in_the_middle_is_uncordoned_by_the_next_run(
    configured: Cluster, server: str
) -> None:
    fleet, last = configured.fleet, configured.agents[-1]
    if fleet.k3s != "stand-in":
        pytest.skip("only the stand-in can be told to start late")
    faults.set_fault(fleet, last, "ready-late:30", once=True)
    variables = _with_mirror(configured, "power.test")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(configured.play, SITE, "--limit", last, variables=variables)
        deadline = time.monotonic() + 120
        while not _cordoned(configured, server) and time.monotonic() < deadline:
            time.sleep(0.5)
        faults.power_off(fleet, last)
        running.result().refused()
    assert "since" in _cordoned(configured, server)[last], "nobody else can undo it yet"
    faults.power_on(fleet, last)
    # Whatever its own setting is.
    run = configured.play(variables={**variables, "k3s_registries_cordon": False}).ok()
    assert _cordoned(configured, server) == {}, run.output
