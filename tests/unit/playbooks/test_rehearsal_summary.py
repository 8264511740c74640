# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook rehearse hands on to whoever approves a change."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from local_fleet import run

GROUPS = {"server": ["server-1"], "agent": ["agent-1"]}
VARIABLES = {"k3s_registries": {"mirrors": {"docker.io": {"endpoint": ["https://mirror.test:5000"]}}}}


@pytest.mark.nightly
def test_the_summary_says_that_nothing_changes(tmp_path: Path) -> None:
    assert run(tmp_path, "site", GROUPS, variables=VARIABLES).status == 0
    shown = {"ansible.builtin.debug": {"var": "_k3s_registries_rehearsal_summed.lines"}}
    plays = [
        {"import_playbook": "k3sfleet.registries.rehearse"},
        {"hosts": "server-1", "gather_facts": False, "tasks": [shown]},
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    done = run(tmp_path, "play.yml", GROUPS, variables=VARIABLES)
    assert done.status == 0, done.output
    assert "Hand on what the change means for pulls" in done.output
    assert '"nothing changes on any node, so nothing was rehearsed"' in done.output
