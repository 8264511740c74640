# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks that people write around the role: other strategies, batches, parts of the fleet, the role twice."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.integration.cluster import Cluster

_PLAY = """\
- name: A play of its own
  hosts: server:agent
  gather_facts: false
%s  tasks:
    - name: Bring the registries to the fleet
      ansible.builtin.import_role:
        name: k3sfleet.registries.k3s_registries
%s"""
_RESCUED = """\
- name: A play that goes on after a failure
  hosts: server:agent
  gather_facts: false
  tasks:
    - name: The registries, if it can be
      block:
        - name: Bring the registries to the fleet
          ansible.builtin.import_role:
            name: k3sfleet.registries.k3s_registries
      rescue:
        - name: Go on all the same
          ansible.builtin.meta: noop
"""
_ONCE_MORE = """\
    - name: And once more
      ansible.builtin.include_role:
        name: k3sfleet.registries.k3s_registries
"""


def _with_mirror(cluster: Cluster, name: str) -> dict[str, Any]:
    config = copy.deepcopy(cluster.variables["k3s_registries"])
    config["mirrors"][name] = {"endpoint": ["https://elsewhere.example.com"]}
    return {"k3s_registries": config}


def _playbook(cluster: Cluster, keywords: str = "", after: str = "") -> str:
    path = cluster.folder / "play.yml"
    path.write_text(_PLAY % (keywords, after), encoding="utf-8")
    return str(path)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "keywords",
    [
        pytest.param("  strategy: free\n", id="free"),
        pytest.param("  strategy: host_pinned\n", id="host_pinned"),
        pytest.param("  serial: 1\n", id="serial"),
    ],
)
def test_order_is_kept_whatever_the_play_says(configured: Cluster, keywords: str) -> None:
    wanted = _with_mirror(configured, "%s.test" % keywords.split()[1].replace("_", "-"))
    run = configured.play(_playbook(configured, keywords), variables=wanted).ok()
    assert configured.restarts(run.began) == dict.fromkeys(configured.names, 1)
    assert configured.overlaps(run.began) == []


@pytest.mark.nightly
@pytest.mark.parametrize(
    "keywords",
    [
        pytest.param("", id="linear"),
        pytest.param("  strategy: free\n", id="free"),
        pytest.param("  serial: 1\n", id="serial"),
        pytest.param("  strategy: host_pinned\n", id="host_pinned"),
    ],
)
def test_one_failure_leaves_the_rest_untouched_whatever_the_play_says(configured: Cluster, keywords: str) -> None:
    configured.play().ok()
    wanted = {**_with_mirror(configured, "halt.test"), "k3s_registries_canary_images": ["docker.io/rancher/none:1"]}
    run = configured.play(_playbook(configured, keywords), variables=wanted).refused()
    # Down with the new configuration and down again to be put back; nobody else. The free strategies take hosts as they
    # come, so it need not be the server there.
    restarts = configured.restarts(run.began)
    [(failed, _twice)] = [item for item in restarts.items() if item[1]]
    assert restarts == {**dict.fromkeys(configured.names, 0), failed: 2}
    assert failed == "server-1" or "strategy" in keywords
    # With serial, Ansible itself ends the play after a batch in which everyone has failed.
    others = run.recap.keys() - {failed}
    assert run.output.count("left as it was, untouched: the rollout stopped after %s failed" % failed) >= len(others)
    assert others == (set() if "serial" in keywords else set(configured.names) - {failed})
    assert set(configured.play().ok().changed.values()) == {0}


@pytest.mark.nightly
def test_a_failure_halts_the_role_applied_again_in_the_same_play(configured: Cluster) -> None:
    wanted = {**_with_mirror(configured, "halt.test"), "k3s_registries_canary_images": ["docker.io/rancher/none:1"]}
    path = configured.folder / "rescued.yml"
    path.write_text(_RESCUED + _ONCE_MORE, encoding="utf-8")
    run = configured.play(str(path), variables=wanted).refused()
    assert "Go on all the same" in run.output
    assert configured.restarts(run.began) == {"server-1": 2, **dict.fromkeys(configured.agents, 0)}


@pytest.mark.nightly
def test_role_twice_in_a_play_restarts_once(configured: Cluster) -> None:
    wanted = _with_mirror(configured, "twice.test")
    run = configured.play(_playbook(configured, after=_ONCE_MORE), "--limit", "agent-1", variables=wanted).ok()
    assert configured.restarts(run.began) == {name: int(name == "agent-1") for name in configured.names}


def test_limit_leaves_the_others_alone(configured: Cluster) -> None:
    before = configured.snapshot()
    run = configured.play(
        "playbooks/site.yml", "--limit", "agent-2", variables=_with_mirror(configured, "limit.test")
    ).ok()
    assert set(run.recap) == {"agent-2"}
    assert configured.restarts(run.began) == {name: int(name == "agent-2") for name in configured.names}
    after = configured.snapshot()
    # The server keeps the cluster's lease; nobody has been on the other agent.
    assert after["agent-1"]["logins"] == before["agent-1"]["logins"]
    for name in ("server-1", "agent-1"):
        assert after[name]["units"] == before[name]["units"]


@pytest.mark.nightly
def test_run_once_is_everything_or_an_error(configured: Cluster) -> None:
    """A play that runs the role for one host only must not look like a fleet that is done."""
    path = configured.folder / "once.yml"
    path.write_text((_PLAY % ("", "")) + "      run_once: true\n", encoding="utf-8")
    run = configured.play(str(path), variables=_with_mirror(configured, "once.test"))
    restarted = {name for name, count in configured.restarts(run.began).items() if count}
    assert run.code != 0 or restarted == set(configured.names), run.output
    if run.code:
        assert not restarted
        assert "run_once" in run.output
