# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much the playbooks print on a fleet of twenty nodes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from local_fleet import run

from tests.conftest import mostly_nightly

FLEET = {
    "server": ["server-%d" % number for number in (1, 2, 3)],
    "agent": ["agent-%02d" % number for number in range(1, 18)],
}
CONFIG = {"k3s_registries": {"mirrors": {"docker.io": {"endpoint": ["https://registry.example.com:5000"]}}}}


@pytest.mark.parametrize("playbook", mostly_nightly(["site", "remove", "rollback"], "site"))
def test_an_unchanged_run_is_a_line_for_each_node_and_a_summary(tmp_path: Path, playbook: str) -> None:
    run(tmp_path, playbook, FLEET, variables=CONFIG)
    done = run(tmp_path, playbook, FLEET, variables=CONFIG)
    assert done.status == 0, done.output
    assert set(done.changed.values()) == {0}
    lines = done.output.splitlines()
    assert len(lines) < 60, done.output
    for host in (*FLEET["server"], *FLEET["agent"]):
        assert len([line for line in lines if re.match(r"\w+: \[%s\]" % host, line)]) == 1, done.output
    summary = (
        "Summary of cluster server/agent: 20 nodes: 0 changed (0 restarted, 0 without a restart), 0 failed, 0 left"
    )
    assert len([line for line in lines if line.startswith(summary)]) == 1, done.output
