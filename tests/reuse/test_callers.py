# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a playbook calls the role: each rolls out to the whole cluster, servers first, one by one."""

from __future__ import annotations

import pytest

from tests.reuse.members import Members
from tests.reuse.project import Project

_PLAY = """\
- name: Somebody else's play
  hosts: server:agent
  gather_facts: false
%s"""
_IMPORT = """\
  tasks:
    - name: The registries
      ansible.builtin.import_role:
        name: k3sfleet.registries.k3s_registries
"""
_INCLUDE = _IMPORT.replace("import_role", "include_role")
_OTHER = """\
    - name: What this run does not ask for
      ansible.builtin.fail:
"""
_WAYS = {
    "import-role": _PLAY % _IMPORT + "      tags: [registries]\n" + _OTHER,
    "include-role": _PLAY % "  serial: 1\n"
    + _INCLUDE
    + "        apply: {tags: [registries]}\n      tags: [registries]\n"
    + _OTHER,
    "roles": _PLAY % "  serial: [1, '100%']\n"
    + "  roles: [{role: k3sfleet.registries.k3s_registries, tags: [registries]}]\n"
    + "  tasks:\n"
    + _OTHER,
}
_META = """\
dependencies:
  - role: k3sfleet.registries.k3s_registries
    vars:
      k3s_registries: "{{ edge_node_registries }}"
"""


@pytest.mark.nightly
@pytest.mark.parametrize("way", ["include-role", "import-role", "roles"])
def test_each_way_rolls_out_at_once_or_in_batches(project: Project, east: Members, way: str) -> None:
    """And a tag selects all of it: no task that a rollout needs is left out."""
    given = east.with_mirror("%s.test" % way)
    run = project.play(_WAYS[way], east.inventory(given), "--tags=registries").ok()
    east.must_have_rolled_out(run, "%s.test" % way)


@pytest.mark.nightly
def test_a_role_that_has_it_among_its_dependencies(project: Project, east: Members) -> None:
    project.write("roles/edge_node/meta/main.yml", _META)
    project.write("roles/edge_node/tasks/main.yml", "- name: Its own\n  ansible.builtin.ping:\n")
    given = east.with_mirror("dependent.test")
    given["edge_node_registries"] = given.pop("k3s_registries")
    run = project.play(_PLAY % "  roles: [edge_node]\n", east.inventory(given)).ok()
    east.must_have_rolled_out(run, "dependent.test")
    again = project.play(_PLAY % "  serial: 2\n  roles: [edge_node]\n", east.inventory(given)).ok()
    assert set(again.changed.values()) == {0}
    east.must_be_untouched(again, east.everywhere("docker.io", "dependent.test"))


@pytest.mark.nightly
def test_a_condition_leaves_the_other_nodes_alone(project: Project, east: Members) -> None:
    """False for the first host of all, which is the one that Ansible asks where a task runs once."""
    [server], agents = east.named("server"), east.named("agent")
    before = east.loaded()
    condition = "      when: inventory_hostname in groups['agent']\n"
    run = project.play(_PLAY % _IMPORT + condition, east.inventory(east.with_mirror("when.test"))).ok()
    assert east.restarts(run.began) == {server: 0, **dict.fromkeys(agents, 1)}
    assert east.loaded() == {**east.everywhere("docker.io", "when.test"), server: before[server]}
    east.must_have_had_the_lease(run)
