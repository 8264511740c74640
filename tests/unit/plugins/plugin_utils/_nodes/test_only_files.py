# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the line about nodes without a running K3s comes, and what it says."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.only_files import arrive, expected


def told(*answers: tuple[str, str], state: dict[str, Any] | None = None) -> list[str]:
    """What each node has to say as they come; all of them are expected."""
    shared: dict[str, Any] = {} if state is None else state
    hosts = [host for host, _service_state in answers]
    return [arrive(shared, host, service_state, hosts) for host, service_state in answers]


def test_the_last_node_says_it_for_all() -> None:
    said = told(("s1", "running"), ("a2", "absent"), ("a1", "stopped"), ("a3", "starting"))
    assert said[:-1] == ["", "", ""]
    assert said[-1].startswith(
        "only files, no restart and no health check, on 2 of 4 nodes: K3s is not installed on a2; stopped on a1 ("
    )
    assert "k3s_registries_distribution and k3s_registries_service" in said[-1]


def test_where_k3s_runs_everywhere_nothing_is_said() -> None:
    assert told(("s1", "running"), ("a1", "starting")) == ["", ""]


def test_where_it_is_installed_the_variables_are_none_of_the_matter() -> None:
    assert told(("a1", "stopped"), ("a2", "failed"))[-1].endswith("on 2 of 2 nodes: stopped on a1; failed on a2")


def test_a_long_list_is_shortened() -> None:
    said = told(*(("edge-%03d" % number, "absent") for number in range(400, 0, -1)))
    assert "on 400 of 400 nodes: K3s is not installed on edge-001, edge-002 and 398 more (" in said[-1]


def test_one_that_could_not_be_reached_is_not_waited_for() -> None:
    assert "on 1 of 2 nodes: K3s is not installed on a1" in told(("a1", "absent"), ("gone", ""))[-1]


def test_the_next_staging_of_the_same_run_begins_anew() -> None:
    state: dict[str, Any] = {}
    assert told(("a1", "absent"), ("a2", "absent"), state=state)[-1]
    again = told(("a2", "absent"), ("a1", "running"), state=state)
    assert again[0] == ""
    assert "on 1 of 2 nodes: K3s is not installed on a2" in again[1]
    # The play left one out by a condition: nobody was the last.
    arrive(state, "a1", "absent", ["a1", "a2"])
    assert told(("a1", "absent"), ("a2", "absent"), state=state) == [
        "",
        again[1].replace("1 of 2", "2 of 2").replace("a2", "a1, a2", 1),
    ]


def test_only_the_cluster_s_own_hosts_are_waited_for() -> None:
    groups = {"east_server": ["e1"], "east_agent": ["e2", "e3"], "west_server": ["w1"]}
    assert expected("east_server/east_agent", ["w1", "e3", "e1"], groups) == ["e3", "e1"]
    assert expected("north_server/north_agent", ["w1"], groups) == []
