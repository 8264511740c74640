# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX does to a play, done by its own engine."""

from __future__ import annotations

import time

from tests.fleet import events, nodes
from tests.fleet.state import Fleet
from tests.runner.conftest import MakeJob
from tests.runner.job import Job, ended, slices, wait_for

COMMIT = "Put the staged files in place, restart K3s and prove the node healthy, or roll it back"


def configured(fleet: Fleet) -> list[str]:
    """Nodes that have the registry's configuration and a K3s that runs."""
    found = []
    for node in fleet.nodes:
        command = ["sh", "-c", "systemctl is-active %s && cat /etc/rancher/k3s/registries.yaml" % fleet.service(node)]
        said = nodes.execute(fleet, node.name, command, check=False).stdout
        if said.startswith("active") and fleet.registry.url in said:
            found.append(node.name)
    return found


def servers_away_at_once(fleet: Fleet, since: float) -> list[set[str]]:
    servers = {node.name for node in fleet.servers}
    pairs = [set(pair["nodes"]) for pair in events.report(fleet, since)["overlapping"]]
    return [pair for pair in pairs if pair <= servers]


def committing(job: Job) -> bool:
    return any(
        event["event"] == "runner_on_start" and event["event_data"].get("task") == COMMIT for event in job.events()
    )


def test_a_limit_reaches_only_its_host(fleet: Fleet, job: MakeJob) -> None:
    limited = job()
    assert limited.run(limit="agent-1") == "successful", limited.text()
    assert configured(fleet) == ["agent-1"]


def test_apply_with_variables_that_are_text_and_again(fleet: Fleet, job: MakeJob) -> None:
    began = time.time()
    first = job()
    assert first.run() == "successful", first.text()
    assert len(configured(fleet)) == len(fleet.nodes)
    assert servers_away_at_once(fleet, began) == []
    flag = nodes.execute(fleet, "server-1", ["sh", "-c", "cat /etc/rancher/k3s/config.yaml.d/*"]).stdout
    assert "disable-default-registry-endpoint: true" in flag
    again = job()
    assert again.run() == "successful", again.text()
    assert set(again.changed().values()) == {0}


def test_a_cancelled_job_is_repaired_by_the_next(fleet: Fleet, job: MakeJob) -> None:
    removal = job()
    assert removal.run("remove.yml") == "successful", removal.text()
    began = time.time()
    cancelled = job()
    process = cancelled.start()
    wait_for(lambda: committing(cancelled))
    cancelled.cancel()
    assert ended(process) == "canceled"
    assert len(configured(fleet)) < len(fleet.nodes), "it was over before it was cancelled"
    following = job()
    assert following.run() == "successful", following.text()
    assert len(configured(fleet)) == len(fleet.nodes)
    assert servers_away_at_once(fleet, began) == []


def test_slices_never_take_two_servers_away(fleet: Fleet, job: MakeJob) -> None:
    removal = job()
    assert removal.run("remove.yml") == "successful", removal.text()
    began = time.time()
    jobs = [job(hosts) for hosts in slices(fleet, 2)]
    outcomes = [ended(process) for process in [one.start() for one in jobs]]
    assert servers_away_at_once(fleet, began) == []
    assert "successful" in outcomes, [one.text() for one in jobs]
    for one, outcome in zip(jobs, outcomes):
        if outcome != "successful":
            assert "the cluster is being worked on by AWX job" in one.text()
    whole = job()
    assert whole.run() == "successful", whole.text()
    assert len(configured(fleet)) == len(fleet.nodes)


def test_a_slice_without_a_server_refuses_and_says_how_to_set_it_up(fleet: Fleet, job: MakeJob) -> None:
    removal = job()
    assert removal.run("remove.yml") == "successful", removal.text()
    part = job(["agent-1"])
    assert part.run() == "failed"
    assert "set the job template's job slicing to 1" in part.text()
    assert configured(fleet) == []
