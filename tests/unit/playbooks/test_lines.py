# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much the playbooks print on a fleet: on four nodes, at night on twenty."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from local_fleet import run

from tests.conftest import mostly_nightly

CONFIG = {"k3s_registries": {"mirrors": {"docker.io": {"endpoint": ["https://registry.example.com:5000"]}}}}


@pytest.mark.parametrize(
    ("playbook", "agents"), mostly_nightly([("site", 3), ("site", 17), ("remove", 17), ("rollback", 17)], ("site", 3))
)
def test_an_unchanged_run_is_a_line_for_each_node_and_a_summary(tmp_path: Path, playbook: str, agents: int) -> None:
    fleet = {
        "server": ["server-%d" % number for number in ((1, 2, 3) if agents > 3 else (1,))],
        "agent": ["agent-%02d" % number for number in range(1, agents + 1)],
    }
    run(tmp_path, playbook, fleet, variables=CONFIG)
    done = run(tmp_path, playbook, fleet, variables=CONFIG)
    assert done.status == 0, done.output
    assert set(done.changed.values()) == {0}
    lines = done.output.splitlines()
    # Twice, with the recap. The metrics of the nodes are a task of its own where the registries are removed.
    assert len(lines) < 2 * len(done.hosts) + (23 if playbook == "remove" else 20), done.output
    for host in done.hosts:
        assert len([line for line in lines if re.match(r"\w+: \[%s\]" % host, line)]) == 1, done.output
    summary = (
        "Summary of cluster server/agent: %d nodes: 0 changed (0 restarted, 0 without a restart), 0 failed, 0 left"
        % len(done.hosts)
    )
    assert len([line for line in lines if line.startswith(summary)]) == 1, done.output
    if playbook == "site":
        nodes = len(done.hosts)
        only = "only files, no restart and no health check, on %d of %d nodes: K3s is not installed on" % (nodes, nodes)
        assert [only in line for line in lines if line.startswith("Cluster ")] == [True], done.output
