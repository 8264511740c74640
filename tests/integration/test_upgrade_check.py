# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook `upgrade_check` on real nodes: one call each, nothing touched, and what is lacking is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.inventory import CANARY
from tests.integration.cluster import Cluster, Run
from tests.integration.test_first_run import _of_k3s

CHECK = "playbooks/upgrade_check.yml"
MISSING = "docker.io/library/missing:1"


def check(cluster: Cluster, target: str, **more: Any) -> Run:
    """Without GitHub, from a list on the controller."""
    images = Path(cluster.folder / "images-of-the-release.txt")
    images.write_text("%s\n%s\n" % (CANARY, MISSING), encoding="utf-8")
    variables = {"k3s_registries_target_release": target, "k3s_registries_target_image_files": [str(images)], **more}
    return cluster.play(CHECK, variables=variables)


def test_an_image_of_the_release_that_no_node_could_pull(configured: Cluster) -> None:
    before = configured.snapshot()
    run = check(configured, "v1.35.2+k3s1").refused()
    assert _of_k3s(configured.snapshot()) == _of_k3s(before)
    assert set(configured.commands(run.began).values()) == {1}
    nodes = ", ".join(sorted(configured.names, key=configured.names.index))
    assert re.search(r"^  %s: cannot be pulled: %s: https://.*not_found" % (nodes, MISSING), run.output, re.M), (
        run.output
    )
    assert "k3s-upgrade" not in run.output, "nobody runs the system-upgrade-controller"
    assert "v1.35.2+k3s1: 1 image that cannot be pulled" in run.output


@pytest.mark.nightly
def test_a_release_newer_than_the_rules_is_not_called_fine(configured: Cluster) -> None:
    run = check(configured, "v1.99.0+k3s1", k3s_registries_rehearse_allow=[MISSING]).ok()
    assert "cannot be pulled, as allowed: %s" % MISSING in run.output
    assert re.search(r"nothing speaks against it on 3 nodes .* not known: its own rules", run.output), run.output
    assert "rules known up to v1.35.2+k3s1" in run.output


def test_what_is_no_target_stops_before_a_node_is_asked(configured: Cluster) -> None:
    run = check(configured, "v1.35.2").refused()
    assert "names no release: write it as v1.35.2+k3s1" in run.output
    assert set(configured.commands(run.began).values()) == {0}
