# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook rehearse, where there is nothing to rehearse: it touches nothing, and is not green."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_fleet import run

FLEET = {"server": ["server-1"], "agent": ["agent-1", "agent-2"]}
PASSWORD = "CANARY-81d2-Pa55"
CONFIG = {
    "mirrors": {"docker.io": {"endpoint": ["https://registry.example.com:5000"]}},
    "configs": {"registry.example.com:5000": {"auth": {"username": "robot", "password": PASSWORD}}},
}


def test_nothing_is_green_where_no_k3s_runs_and_nothing_is_written(tmp_path: Path) -> None:
    done = run(tmp_path, "rehearse", FLEET, "-vvv", variables={"k3s_registries": CONFIG})
    assert done.status != 0
    for host in ("server-1", "agent-1", "agent-2"):
        assert "It could not be rehearsed on %s: k3s-that-no-machine-has does not run there" % host in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["inventory.yml"]
    # The inventory itself is what this test has written.
    assert PASSWORD not in done.output


def test_a_mistake_stops_it_before_the_first_node(tmp_path: Path) -> None:
    wrong = {"mirrors": {"docker.io": {"endpoint": "https://registry.example.com:5000"}}}
    done = run(tmp_path, "rehearse", FLEET, variables={"k3s_registries": wrong})
    assert done.status != 0
    assert "could not be rehearsed" not in done.output


@pytest.mark.nightly
def test_nothing_is_asked_where_nothing_changes(tmp_path: Path) -> None:
    variables = {"k3s_registries": CONFIG}
    assert run(tmp_path, "site", FLEET, variables=variables).status == 0
    done = run(tmp_path, "rehearse", FLEET, variables=variables)
    assert done.status == 0, done.output
    assert done.output.count("nothing changes, so nothing was rehearsed") == 3
    assert set(done.changed.values()) == {0}
