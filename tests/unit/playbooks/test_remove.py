# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`remove` says what it takes away, in check mode too, and the second time there is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_fleet import run

FLEET = {"agent": ["agent-1"]}
CONFIG = {"k3s_registries": {"mirrors": {"docker.io": {"endpoint": ["https://registry.example.com:5000"]}}}}
FOREIGN = "mirrors: {quay.io: {endpoint: [https://mirror.example.com]}}\n"


@pytest.mark.nightly
def test_after_a_rollback_the_kept_states_are_a_change(tmp_path: Path) -> None:
    folder = tmp_path / "etc-of-agent-1"
    folder.mkdir()
    file = folder / "registries.yaml"
    file.write_text(FOREIGN)
    for playbook in ("site", "rollback"):
        done = run(tmp_path, playbook, FLEET, variables=CONFIG)
        assert (done.status, done.changed) == (0, {"agent-1": 1}), done.output
    assert file.read_text() == FOREIGN
    check = run(tmp_path, "remove", FLEET, "--check", "--diff", variables=CONFIG)
    assert (check.status, check.changed) == (0, {"agent-1": 1}), check.output
    assert "# removed: %s/k3sfleet" % folder in check.output
    assert (folder / "k3sfleet").exists()
    assert run(tmp_path, "remove", FLEET, variables=CONFIG).changed == {"agent-1": 1}
    assert sorted(path.name for path in folder.iterdir()) == ["registries.yaml"]
    assert run(tmp_path, "remove", FLEET, variables=CONFIG).changed == {"agent-1": 0}
