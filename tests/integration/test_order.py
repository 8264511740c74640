# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who restarts when: servers alone, agents by batch, and nobody without need. Times are the journals' own."""

from __future__ import annotations

import copy
from typing import Any, Iterator

import pytest

from tests.fleet import faults
from tests.integration.cluster import Cluster

pytestmark = pytest.mark.nightly


def _with_mirror(cluster: Cluster, name: str) -> dict[str, Any]:
    """Variables that make every node restart."""
    config = copy.deepcopy(cluster.variables["k3s_registries"])
    config["mirrors"][name] = {"endpoint": ["https://%s.example.com" % name.partition(".")[0]]}
    return {"k3s_registries": config}


@pytest.fixture
def slow_agents(configured: Cluster) -> Iterator[None]:
    """Agents that take long enough to start for their absences to overlap when they may."""
    if configured.fleet.k3s == "stand-in":
        for name in configured.agents:
            faults.set_fault(configured.fleet, name, "ready-late:4")
    yield
    if configured.fleet.k3s == "stand-in":
        for name in configured.agents:
            faults.set_fault(configured.fleet, name, "clear")


@pytest.mark.usefixtures("slow_agents")
def test_agents_of_a_batch_restart_together_and_never_with_a_server(configured: Cluster) -> None:
    run = configured.play(variables={**_with_mirror(configured, "two.test"), "k3s_registries_agent_batch": "2"}).ok()
    assert configured.restarts(run.began) == dict.fromkeys(configured.names, 1)
    assert configured.overlaps(run.began) == [set(configured.agents)]


@pytest.mark.usefixtures("slow_agents")
def test_agents_restart_one_by_one_unless_asked_otherwise(configured: Cluster) -> None:
    run = configured.play(variables=_with_mirror(configured, "one.test")).ok()
    assert configured.restarts(run.began) == dict.fromkeys(configured.names, 1)
    assert configured.overlaps(run.began) == []


def test_canary_host_comes_first(configured: Cluster) -> None:
    last = configured.agents[-1]
    run = configured.play(variables={**_with_mirror(configured, "first.test"), "k3s_registries_canary": last}).ok()
    ended = [
        line.split("] ", 1)[1].split(" ")[0] for line in run.output.splitlines() if "restarted and healthy" in line
    ]
    assert ended[0] == last
    assert sorted(ended) == sorted(configured.names)
    assert configured.overlaps(run.began) == []


@pytest.mark.usefixtures("slow_agents")
def test_what_is_left_after_the_time_is_the_next_runs_in_batches_with_a_pause(configured: Cluster) -> None:
    server = next(name for name in configured.names if name not in configured.agents)
    changed = _with_mirror(configured, "late.test")
    # No restart takes less than a second, and the server's is the first.
    run = configured.play(variables={**changed, "k3s_registries_stop_after": "1"})
    assert run.code == 2
    assert configured.restarts(run.began) == {server: 1, **dict.fromkeys(configured.agents, 0)}
    assert run.failed == sorted(configured.agents)
    assert "0 failed, 0 left as they were, 2 stopped, " in run.output
    batches = {"k3s_registries_agent_batch": "1, 50%", "k3s_registries_batch_pause": 2}
    run = configured.play(variables={**changed, **batches}).ok()
    assert configured.restarts(run.began) == {server: 0, **dict.fromkeys(configured.agents, 1)}
    assert configured.overlaps(run.began) == []
    assert "[1/2] pause of 2 s before the next agent (k3s_registries_batch_pause)" in run.output
