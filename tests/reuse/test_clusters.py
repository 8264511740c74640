# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two clusters in one inventory: a play for each, or one play over both; the failure of one does not halt the other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reuse.members import Members
from tests.reuse.project import Project

_CALL = """\
    - name: The registries
      ansible.builtin.include_role:
        name: k3sfleet.registries.k3s_registries
"""
_ONE_PLAY = (
    """\
- name: Both clusters
  hosts: east:west
  gather_facts: false
  tasks:
"""
    + _CALL
)
_PLAY = (
    """\
- name: The registries of %%(cluster)s
  hosts: %%(cluster)s
  gather_facts: false
  tasks:
%s"""
    % _CALL
)
# Ansible ends a playbook when all hosts of a play have failed, so a play of its own is not enough.
_RESCUED = """\
- name: The registries of %(cluster)s
  hosts: %(cluster)s
  gather_facts: false
  tasks:
    - name: The other cluster is not halted
      block:
        - name: The registries
          ansible.builtin.include_role:
            name: k3sfleet.registries.k3s_registries
      rescue:
        - name: Remember it
          ansible.builtin.set_fact:
            registries_failed: true
"""
_VERDICT = """\
- name: The verdict
  hosts: east:west
  gather_facts: false
  tasks:
    - name: Fail where the registries have failed
      ansible.builtin.assert:
        that: not (registries_failed | default(false))
"""
_PLAYBOOKS = {
    "a-play-each": _PLAY % {"cluster": "east"} + _PLAY % {"cluster": "west"},
    "one-play": _ONE_PLAY,
}
_INDEPENDENT = {
    "a-play-each": _RESCUED % {"cluster": "east"} + _RESCUED % {"cluster": "west"} + _VERDICT,
    "one-play": _ONE_PLAY,
}
_WAYS = ["one-play", pytest.param("a-play-each", marks=pytest.mark.nightly)]
_UNKNOWN_IMAGE = {"k3s_registries_canary_images": ["docker.io/rancher/no-such-image:1"]}


def _cluster(members: Members, name: str, mirror: str, more: dict[str, Any]) -> dict[str, Any]:
    """A cluster's group with its variables, as group_vars/<name>.yml would have them."""
    groups = (name + "_server", name + "_agent")
    own = {"k3s_registries_server_group": groups[0], "k3s_registries_agent_group": groups[1]}
    return members.group({**members.with_mirror(mirror), **own, **more}, names=groups)


def _inventory(east: Members, west: Members, mirror: str, **of_east: Any) -> dict[str, Any]:
    """Each cluster has a mirror of its own: ``east.<mirror>`` and ``west.<mirror>``."""
    return {
        "children": {
            "east": _cluster(east, "east", "east." + mirror, of_east),
            "west": _cluster(west, "west", "west." + mirror, {}),
        }
    }


@pytest.mark.parametrize("way", _WAYS)
def test_each_cluster_gets_its_own_under_its_own_lease(
    project: Project, east: Members, west: Members, way: str
) -> None:
    mirror = way + ".test"
    run = project.play(_PLAYBOOKS[way], _inventory(east, west, mirror)).ok()
    east.must_have_rolled_out(run, "east." + mirror)
    west.must_have_rolled_out(run, "west." + mirror)


@pytest.mark.nightly
@pytest.mark.parametrize("way", _WAYS)
def test_a_failing_cluster_does_not_halt_the_other(project: Project, east: Members, west: Members, way: str) -> None:
    mirror = "halt-%s.test" % way
    before = east.loaded()
    run = project.play(_INDEPENDENT[way], _inventory(east, west, mirror, **_UNKNOWN_IMAGE)).refused()
    # The first server down with the new configuration and down again to be put back; nobody else of its cluster.
    [server], agents = east.named("server"), east.named("agent")
    assert east.restarts(run.began) == {server: 2, **dict.fromkeys(agents, 0)}
    assert east.loaded() == before
    east.must_have_had_the_lease(run)
    west.must_have_rolled_out(run, "west." + mirror)
    assert run.failed == sorted(east.named())
    for agent in agents:
        assert "%s failed" % server in run.output, agent


@pytest.mark.nightly
def test_a_cluster_that_another_run_works_on_is_left_alone(project: Project, east: Members, west: Members) -> None:
    before = east.loaded()
    another_run = "somebody on another controller, process 1"
    east.lease_of_another_run(another_run)
    run = project.play(_ONE_PLAY, _inventory(east, west, "held.test")).refused()
    east_lease = east.lease()
    east.lease_of_another_run("")
    assert "the cluster is being worked on by " + another_run in run.output
    east.must_be_untouched(run, before)
    assert east_lease["holderIdentity"] == another_run
    west.must_have_rolled_out(run, "west.held.test")
    assert run.failed == sorted(east.named())


@pytest.mark.parametrize("way", _WAYS)
def test_a_mistake_in_the_first_cluster_ends_the_playbook_before_any_node(
    project: Project, east: Members, west: Members, way: str
) -> None:
    """In one play because the whole play is checked first; with a play each because Ansible begins no further play
    when all hosts of one have failed, which is why the guide shows the rescue."""
    before = {members: members.loaded() for members in (east, west)}
    wrong = {"k3s_registries": {"mirrors": {"docker.io": {"endpoints": ["https://typo.example.com"]}}}}
    run = project.play(_PLAYBOOKS[way], _inventory(east, west, "mistake.test", **wrong)).refused()
    assert "nothing has been touched" in run.output
    assert run.failed == sorted(east.named())
    for members, loaded in before.items():
        members.must_be_untouched(run, loaded)
