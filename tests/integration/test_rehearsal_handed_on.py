# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rehearsal tells the report."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.fleet.inventory import CANARY
from tests.integration.cluster import Cluster
from tests.integration.test_first_run import _of_k3s
from tests.integration.test_report import write


@pytest.fixture
def without_the_mirror(configured: Cluster) -> dict[str, Any]:
    """A configuration with which no node finds Docker Hub's images any more."""
    registries: dict[str, Any] = copy.deepcopy(configured.variables["k3s_registries"])
    registries["mirrors"]["docker.io"]["rewrite"] = {"^(.*)$": "nowhere/$1"}
    return registries


@pytest.mark.nightly
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
