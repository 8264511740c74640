# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories as people have them: single nodes that differ, groups of other names, and groups made by the playbook."""

from __future__ import annotations

import pytest

from tests.reuse.members import Members
from tests.reuse.project import Project

_PLAY = """\
- name: Somebody else's play
  hosts: %s
  gather_facts: false
  tasks:
    - name: The registries
      ansible.builtin.include_role:
        name: k3sfleet.registries.k3s_registries
%s"""
_NAMES = """\
      vars:
        k3s_registries_server_group: rank_control
        k3s_registries_agent_group: rank_worker
"""
# Where the nodes come from a cloud's API or a database: they are in no file, the playbook adds them.
_ADD_HOST = """\
- name: Ask for the machines
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Put them into the inventory
      ansible.builtin.add_host:
        name: "{{ item.name }}"
        groups: "rank_{{ item.rank }},machines"
        ansible_host: "{{ item.address }}"
      loop: "{{ machines }}"
"""
_GROUP_BY = """\
- name: Sort the nodes
  hosts: machines
  gather_facts: false
  tasks:
    - name: By their rank
      ansible.builtin.group_by:
        key: "rank_{{ rank }}"
"""
_RANKS = {"server": "control", "agent": "worker"}


@pytest.mark.nightly
def test_one_node_with_variables_of_its_own(project: Project, east: Members) -> None:
    """A store with a mirror of its own, in host_vars; it alone restarts when that changes."""
    [server, store] = east.named()
    play = _PLAY % ("server:agent", "")
    of_all = east.with_mirror("all.test")
    for own in ("own.test", "changed.test"):
        hosts = {store: {"k3s_registries": east.with_mirror("all.test", own)["k3s_registries"]}}
        run = project.play(play, east.inventory(of_all, hosts=hosts)).ok()
        wanted = {**east.everywhere("docker.io", "all.test"), store: {"docker.io", "all.test", own}}
        assert east.configured() == wanted
        assert east.loaded() == wanted
    assert east.restarts(run.began) == {**dict.fromkeys(east.named(), 0), store: 1}
    assert run.changed[server] == 0


@pytest.mark.nightly
@pytest.mark.parametrize("made_by", ["group_by", "add_host"])
def test_groups_that_the_playbook_makes(project: Project, east: Members, made_by: str) -> None:
    mirror = made_by.replace("_", "-") + ".test"
    machines = [
        {"name": east.prefix + node.name, "rank": _RANKS[node.role], "address": node.address}
        for node in east.fleet.nodes
    ]
    # The agents first: the order comes from the groups, not from the inventory.
    machines.reverse()
    variables = {**east.connection, **east.with_mirror(mirror)}
    if made_by == "add_host":
        making = _ADD_HOST
        inventory = {"vars": {"machines": machines}, "children": {"machines": {"vars": variables}}}
    else:
        making = _GROUP_BY
        hosts = {one["name"]: {"ansible_host": one["address"], "rank": one["rank"]} for one in machines}
        inventory = {"children": {"machines": {"hosts": hosts, "vars": variables}}}
    run = project.play(making + _PLAY % ("machines", _NAMES), inventory).ok()
    east.must_have_rolled_out(run, mirror)
    assert "servers, one at a time: " + east.named("server")[0] in run.output
