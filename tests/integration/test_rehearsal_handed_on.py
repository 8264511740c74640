# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rehearsal hands on: to whoever approves a change in AWX, and to the report."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from tests.fleet.inventory import CANARY
from tests.integration.cluster import Cluster
from tests.integration.test_first_run import _of_k3s
from tests.integration.test_report import write

REHEARSE = "playbooks/rehearse.yml"


@pytest.fixture
def without_the_mirror(configured: Cluster) -> dict[str, Any]:
    """A configuration with which no node finds Docker Hub's images any more."""
    registries: dict[str, Any] = copy.deepcopy(configured.variables["k3s_registries"])
    registries["mirrors"]["docker.io"]["rewrite"] = {"^(.*)$": "nowhere/$1"}
    return registries


def test_a_summary_for_the_approval(configured: Cluster, without_the_mirror: dict[str, Any]) -> None:
    variables = {
        "k3s_registries": without_the_mirror,
        # So that nobody waits for the internet.
        "k3s_registries_disable_default_endpoint": True,
        "k3s_registries_canary_images": [CANARY],
        "k3s_registries_rehearse_allow": ["*"],
    }
    run = configured.play(REHEARSE, variables=variables, environment={"ANSIBLE_SHOW_CUSTOM_STATS": "1"}).ok()
    (found,) = re.findall(r'"k3s_registries_rehearsal_summary": (\[[^]]*\])', run.output)
    lines = json.loads(found)
    assert re.fullmatch(r"Rehearsal: \d+ images? on 3 nodes: .*\d+ lost.*", lines[0]), lines
    assert any("lost, as allowed: %s on " % CANARY in line for line in lines), lines
    assert re.search(r'"k3s_registries_rehearsed": \[\s*"[0-9a-f]{64}"\s*\]', run.output)


def test_the_report_shows_images_by_endpoints(configured: Cluster, without_the_mirror: dict[str, Any]) -> None:
    before = configured.snapshot()
    agent = configured.agents[0]
    more = {
        "k3s_registries_report_rehearse": True,
        "k3s_registries": without_the_mirror,
        # So that nobody waits for the internet.
        "k3s_registries_disable_default_endpoint": True,
        "k3s_registries_canary_images": [CANARY],
    }
    report = write(configured, "rehearsed", hosts={agent: more})
    found = report.host(agent)["rehearsal"]
    verdicts = {image["image"]: image["verdict"] for image in found["images"]}
    assert verdicts[CANARY] == "lost", found
    assert report.host(configured.agents[1])["rehearsal"] is None
    section = report.html[report.html.index('id="rehearsal"') : report.html.index('id="latency"')]
    assert CANARY in section
    assert "lost" in section
    assert report.host(agent)["errors"] == []
    assert _of_k3s(configured.snapshot()) == _of_k3s(before)
