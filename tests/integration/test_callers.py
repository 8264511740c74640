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
