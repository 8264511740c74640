# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods with credentials of their own have their nodes restart, and so does not knowing of them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import lease_duty, plan, pull_secrets
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import Host, Run
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run_as_text import decode, encode

REACH: dict[str, Any] = {"registries": ["docker.io"], "others": False, "known": ["docker.io", "r.test"]}


def a_run(**hosts: dict[str, Any]) -> Run:
    made = {
        name: Host(live=True, node_name="node-" + name, reach=reach, reasons=["why"]) for name, reach in hosts.items()
    }
    return Run(hosts=made)


def entry(who: str, node: str, *registries: str) -> dict[str, Any]:
    return {"who": who, "node": node, "registries": list(registries)}


def judged(run: Run, *found: dict[str, Any], error: str = "") -> dict[str, str]:
    """Each host's phase, once a server has said this; the run goes through the ledger."""
    run.pull_secrets = {"error": error, "found": list(found)}
    run = decode(encode(run))
    pull_secrets.decide(run)
    return {name: plan.phase(run, name) for name in run.hosts}


def test_nobody_brings_credentials() -> None:
    assert judged(a_run(a=REACH, b=REACH)) == {"a": plan.LIVE, "b": plan.LIVE}


@pytest.mark.parametrize(
    ("found", "phases"),
    [
        (entry("pod x/y", "node-a", "docker.io"), {"a": plan.AGENTS, "b": plan.LIVE}),
        (entry("pod x/y", "node-a", "*"), {"a": plan.AGENTS, "b": plan.LIVE}),
        (entry("pod x/y", "node-a", "r.test", "quay.io"), {"a": plan.LIVE, "b": plan.LIVE}),
        (entry("service account x/y", "", "docker.io"), {"a": plan.AGENTS, "b": plan.AGENTS}),
    ],
)
def test_who_brings_some(found: dict[str, Any], phases: dict[str, str]) -> None:
    assert judged(a_run(a=REACH, b=REACH), found) == phases


def test_a_wildcard_mirror_reaches_what_nobody_has_named() -> None:
    others = dict(REACH, others=True)
    assert judged(a_run(a=others), entry("pod x/y", "node-a", "quay.io")) == {"a": plan.AGENTS}
    assert judged(a_run(a=others), entry("pod x/y", "node-a", "r.test")) == {"a": plan.LIVE}


def test_the_reason_is_in_the_plan_once() -> None:
    run = a_run(a=REACH)
    run.pull_secrets = {
        "error": "",
        "found": [entry("pod x/%d" % number, "node-a", "docker.io") for number in range(9)],
    }
    pull_secrets.decide(run)
    pull_secrets.decide(run)
    (line,) = [line for line in plan.plan_lines(run, "1 at a time") if "because" in line]
    assert "not without a restart: pod x/0 has an imagePullSecret" in line
    assert line.count("pod x/0") == 1
    assert "and 6 more" in line


def test_if_the_cluster_cannot_be_asked_everybody_restarts_whose_credentials_change() -> None:
    run = a_run(a=REACH, b={})
    assert judged(run, error="the API is away") == {"a": plan.AGENTS, "b": plan.LIVE}
    run = a_run(a=REACH)
    pull_secrets.decide(run)
    assert plan.phase(run, "a") == plan.AGENTS


def test_it_is_asked_only_if_credentials_change() -> None:
    assert not pull_secrets.are_needed(a_run(a={}))
    assert pull_secrets.are_needed(a_run(a={}, b=REACH))


def test_a_host_that_comes_after_the_lease_was_taken_is_judged_when_it_joins() -> None:
    run = a_run(a=REACH)
    run.pull_secrets = {"error": "", "found": [entry("pod x/y", "node-a", "docker.io")]}
    run.lease.held = True
    assert not lease_duty.join(run, "a")
    assert plan.phase(run, "a") == plan.AGENTS
