# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes on which there is no K3s: site says so in one line, verify fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_fleet import run

FLEET = {"server": ["server-1"], "agent": ["agent-1", "agent-2"]}
CONFIG = {
    "k3s_registries": {"mirrors": {"docker.io": {"endpoint": ["https://registry.example.com:5000"]}}},
    "k3s_registries_distribution": "rke2",
}
SMALL = {"server": ["server-1"]}
WRONG = [{"k3s_registries_service": "k3s-agnet"}, {"k3s_registries_distribution": "rke2"}]


@pytest.mark.nightly
def test_site_says_in_one_line_which_nodes_only_got_files(tmp_path: Path) -> None:
    for check in (["--check"], [], []):
        done = run(tmp_path, "site", FLEET, *check, variables=CONFIG)
        assert done.status == 0, done.output
        [line] = [line for line in done.output.splitlines() if line.startswith("Cluster ")]
        assert line.startswith(
            "Cluster server/agent: only files, no restart and no health check, on 3 of 3 nodes: "
            "K3s is not installed on agent-1, agent-2, server-1"
        )
        assert "k3s_registries_distribution and k3s_registries_service" in line
    assert all((tmp_path / ("etc-of-" + host) / "registries.yaml").exists() for host in done.hosts)


@pytest.mark.nightly
@pytest.mark.parametrize("wrong", WRONG)
def test_verify_fails_where_k3s_is_not_installed(tmp_path: Path, wrong: dict[str, str]) -> None:
    assert run(tmp_path, "site", SMALL, variables={**CONFIG, **wrong}).status == 0
    done = run(tmp_path, "verify", SMALL, variables={**CONFIG, **wrong})
    assert done.status != 0
    assert "not_installed: K3s is not installed here, so nothing was verified" in done.output
    assert "1 of 1 nodes failed: server-1" in done.output


@pytest.mark.nightly
def test_verify_passes_without_k3s_where_that_is_allowed(tmp_path: Path) -> None:
    assert run(tmp_path, "site", SMALL, variables=CONFIG).status == 0
    allowed = {**CONFIG, "k3s_registries_verify_not_installed": "allow"}
    done = run(tmp_path, "verify", SMALL, variables=allowed)
    assert done.status == 0, done.output
    assert "the node passes, but K3s is not running on 1 of them, so nothing was asked there: server-1" in done.output
    mistyped = run(tmp_path, "verify", SMALL, variables={**CONFIG, "k3s_registries_verify_not_installed": "allowed"})
    assert mistyped.status != 0


@pytest.mark.nightly
def test_diagnose_fails_where_there_was_no_node_to_examine(tmp_path: Path) -> None:
    done = run(tmp_path, "diagnose", FLEET, variables=CONFIG)
    assert done.status != 0
    assert "K3s is not installed on server-1, agent-1, agent-2: no pulls to examine there" in done.output
    assert "no node could be examined" in done.output
