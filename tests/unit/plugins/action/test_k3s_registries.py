# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s_registries, run by ansible-playbook: what is refused on the controller, before any node is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.unit.plugins.action.test_k3s_registries_report import ansible_playbook


@pytest.mark.parametrize("validate_only", [True, False])
@pytest.mark.parametrize(("keep", "accepted"), [(-1, False), (0, False), (1, True)])
def test_at_least_one_generation_is_kept(tmp_path: Path, keep: int, accepted: bool, validate_only: bool) -> None:
    task = {
        "name": "Registries",
        "k3sfleet.registries.k3s_registries": {
            "node_role": "agent",
            "config": {"mirrors": {"docker.io": {"endpoint": ["https://registry.example.com"]}}},
            "keep_generations": keep,
            "validate_only": validate_only,
        },
    }
    play = [{"name": "P", "hosts": "all", "gather_facts": False, "tasks": [task]}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    # Nothing answers there, so a run that asks the node says that it cannot be reached.
    (tmp_path / "inventory.yml").write_text(
        yaml.safe_dump({"all": {"hosts": {"a-1": {"ansible_host": "127.0.0.1", "ansible_port": 1}}}}), encoding="utf-8"
    )
    done = ansible_playbook(tmp_path)
    assert ("k3s_registries_keep_generations" in done.output) is not accepted
    assert ("UNREACHABLE" in done.output) is (accepted and not validate_only)
