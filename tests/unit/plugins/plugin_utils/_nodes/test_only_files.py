# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the line about nodes without a running K3s says, and whom it is about."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.only_files import expected, line


def test_nodes_where_k3s_is_not_meant_to_run_are_named() -> None:
    said = line({"s1": "running", "a2": "absent", "a1": "stopped", "a3": "starting"})
    assert said.startswith(
        "only files, no restart and no health check, on 2 of 4 nodes: K3s is not installed on a2; stopped on a1 ("
    )
    assert "k3s_registries_distribution and k3s_registries_service" in said


def test_where_k3s_runs_everywhere_nothing_is_said() -> None:
    assert line({"s1": "running", "a1": "starting"}) == ""


def test_where_it_is_installed_the_variables_are_none_of_the_matter() -> None:
    assert line({"a1": "stopped", "a2": "failed"}).endswith("on 2 of 2 nodes: stopped on a1; failed on a2")


def test_a_long_list_is_shortened() -> None:
    said = line({"edge-%03d" % number: "absent" for number in range(400, 0, -1)})
    assert "on 400 of 400 nodes: K3s is not installed on edge-001, edge-002 and 398 more (" in said


def test_one_that_could_not_be_reached_is_not_waited_for() -> None:
    assert "on 1 of 2 nodes: K3s is not installed on a1" in line({"a1": "absent", "gone": ""})


def test_only_the_cluster_s_own_hosts_are_waited_for() -> None:
    groups = {"east_server": ["e1"], "east_agent": ["e2", "e3"], "west_server": ["w1"]}
    assert expected("east_server/east_agent", ["w1", "e3", "e1"], groups) == ["e3", "e1"]
    assert expected("north_server/north_agent", ["w1"], groups) == []
