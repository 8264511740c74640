# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which groups hold nodes, and what is said of a run that would look at none."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.groups import (
    DEFAULT,
    Names,
    pattern,
    problem,
)

EAST, WEST = Names("east_server", "east_agent"), Names("west_server", "west_agent")
GROUPS = {
    "all": ["e1", "e2", "w1", "web"], "ungrouped": [], "east_server": ["e1"], "east_agent": ["e2"],
    "west_server": ["w1"], "web": ["web"], "empty": [],
}  # fmt: skip
CLUSTERS = {"e1": EAST, "e2": EAST, "w1": WEST, "web": DEFAULT}
DEFAULTS = {"all": ["s", "a"], "server": ["s"], "agent": ["a"]}


@pytest.mark.parametrize(
    ("names_of", "groups", "expected"),
    [
        ({"s": DEFAULT, "a": DEFAULT}, DEFAULTS, "server:agent"),
        # One server alone: Ansible warns of the group that is not there, as it always has.
        ({"s": DEFAULT}, {"all": ["s"], "server": ["s"]}, "server:agent"),
        (CLUSTERS, GROUPS, "east_server:west_server:east_agent:west_agent"),
        # A cluster with the default names beside one with its own.
        (
            {**CLUSTERS, "s": DEFAULT},
            {**GROUPS, **DEFAULTS},
            "east_server:west_server:server:east_agent:west_agent:agent",
        ),
        # group_vars/all names the servers, the cluster's own group the agents.
        ({"e1": EAST, "web": Names("east_server", "agent")}, GROUPS, "east_server:east_agent"),
        # A group for both.
        ({"e1": Names("east_server", "east_server")}, GROUPS, "east_server"),
        # Nothing is known: never an empty pattern, which Ansible takes for all hosts.
        ({}, {}, "server:agent"),
        ({"web": DEFAULT}, {"all": ["web"]}, "server:agent"),
    ],
)  # fmt: skip
def test_the_pattern_has_the_groups_of_every_cluster(names_of, groups, expected) -> None:
    pattern_found = pattern(names_of, groups)
    assert set(pattern_found.split(":")) == set(expected.split(":"))
    assert [name for name in pattern_found.split(":") if name.endswith("server")] == [
        name for name in expected.split(":") if name.endswith("server")
    ]
    servers = [name.endswith("server") for name in pattern_found.split(":")]
    assert servers == sorted(servers, reverse=True)


def test_before_there_are_hosts_the_names_of_the_play_count() -> None:
    assert pattern({}, {}, EAST) == "east_server:east_agent"


@pytest.mark.parametrize("hosts", [["e1", "e2", "w1", "web"], ["e2"], ["localhost", "web", "w1"]])
def test_a_run_with_a_node_is_well(hosts: list[str]) -> None:
    assert problem(CLUSTERS, GROUPS, hosts) == ""


def test_an_inventory_without_hosts() -> None:
    assert "The inventory has no hosts" in problem({}, {"all": [], "ungrouped": []}, ["localhost"])


@pytest.mark.parametrize("names", [DEFAULT, Names("web1", "empty")])
def test_groups_that_are_not_there_or_empty(names: Names) -> None:
    said = problem(dict.fromkeys(CLUSTERS, names), GROUPS, GROUPS["all"])
    assert said.startswith("The inventory has no hosts in the groups %s and %s" % names)
    assert "k3s_registries_server_group" in said
    assert "k3s_registries_agent_group" in said
    assert said.endswith("Groups with hosts: east_agent, east_server, web, west_server")


def test_a_limit_that_leaves_no_node() -> None:
    said = problem(CLUSTERS, GROUPS, ["web"])
    assert "--limit leaves web" in said
    assert "east_server and east_agent and west_server and west_agent" in said


def test_a_cluster_whose_groups_are_mistyped_is_not_left_out_without_a_word() -> None:
    names_of = {**CLUSTERS, "w1": Names("wset_server", "wset_agent")}
    said = problem(names_of, GROUPS, ["localhost", "e1", "e2", "w1", "web"])
    assert said.startswith("w1: ")
    assert "wset_server and wset_agent" in said
    # What this run leaves alone is not its concern.
    assert problem(names_of, GROUPS, ["e1", "e2"]) == ""
