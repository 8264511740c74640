# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts the playbooks work on, run as people run them: by the groups' names, wherever those stand, never none."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_fleet import run

from tests.conftest import mostly_nightly

FLEET = ("site", "verify", "diagnose", "report", "remove", "rollback", "mirror_images", "preload", "upgrade_check")
DEFAULT = {"server": ["server-1"], "agent": ["agent-1"], "web": ["web-1"]}
OTHER = {"control": ["c1"], "worker": ["w1"], "web": ["web-1"]}
VARIABLES = ("k3s_registries_server_group", "k3s_registries_agent_group")


@pytest.mark.parametrize("playbook", mostly_nightly(FLEET, "site"))
def test_without_an_inventory_every_playbook_fails(tmp_path: Path, playbook: str) -> None:
    done = run(tmp_path, playbook, None)
    assert done.status != 0
    assert "The inventory has no hosts" in done.output
    assert done.hosts == {"localhost"}


@pytest.mark.parametrize("playbook", mostly_nightly(FLEET, "remove"))
def test_a_limit_to_a_host_that_is_no_node_fails_every_playbook(tmp_path: Path, playbook: str) -> None:
    done = run(tmp_path, playbook, DEFAULT, "--limit", "web-1")
    assert done.status != 0
    assert "No host of this run is in the groups server and agent" in done.output
    assert all(variable in done.output for variable in VARIABLES)
    assert done.hosts == {"web-1"}


def test_groups_of_other_names_are_named_with_the_variables_to_set(tmp_path: Path) -> None:
    done = run(tmp_path, "site", OTHER, "--tags", "anything")
    assert done.status != 0
    assert "The inventory has no hosts in the groups server and agent" in done.output
    assert all(variable in done.output for variable in VARIABLES)
    assert "Groups with hosts: control, web, worker" in done.output


@pytest.mark.nightly
def test_mistyped_names_fail(tmp_path: Path) -> None:
    done = run(tmp_path, "verify", DEFAULT, "-e", "k3s_registries_server_group=sever", "-e", VARIABLES[1] + "=agnet")
    assert done.status != 0
    assert "no hosts in the groups sever and agnet" in done.output


@pytest.mark.nightly
@pytest.mark.parametrize("where", ["group_vars/all.yml", "group_vars/cluster.yml", "extra vars", "import_playbook"])
def test_names_reach_the_play_from_wherever_they_stand(tmp_path: Path, where: str) -> None:
    groups = {**OTHER, "cluster": ["c1", "w1"]}
    names = dict(zip(VARIABLES, ("control", "worker")))
    text = "".join("%s: %s\n" % pair for pair in names.items())
    playbook, arguments = "report", []
    if where == "extra vars":
        arguments = [part for pair in names.items() for part in ("-e", "%s=%s" % pair)]
    elif where == "import_playbook":
        (tmp_path / "mine.yml").write_text(
            "- import_playbook: k3sfleet.registries.report\n  vars: {%s: control, %s: \"{{ 'worker' }}\"}\n" % VARIABLES
        )
        playbook = "mine.yml"
    else:
        (tmp_path / "group_vars").mkdir()
        (tmp_path / where).write_text(text)
    done = run(tmp_path, playbook, groups, *arguments)
    assert done.status == 0, done.output
    assert done.hosts == {"c1", "w1"}
    assert "Could not match" not in done.output


@pytest.mark.nightly
def test_two_clusters_whose_group_vars_name_their_groups(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    for cluster in ("east", "west"):
        text = "%s: %s_control\n%s: %s_worker\n" % (VARIABLES[0], cluster, VARIABLES[1], cluster)
        (tmp_path / "group_vars" / (cluster + ".yml")).write_text(text)
    groups = {
        "east_control": ["e1"], "east_worker": ["e2"], "east": ["e1", "e2"],
        "west_control": ["w1"], "west": ["w1"], "web": ["web-1"],
    }  # fmt: skip
    done = run(tmp_path, "report", groups)
    assert done.status == 0, done.output
    assert done.hosts == {"e1", "e2", "w1"}
    alone = run(tmp_path, "report", groups, "--limit", "west")
    assert alone.status == 0, alone.output
    assert alone.hosts == {"w1"}


def test_a_run_over_nodes_says_nothing_about_it_and_asks_nobody_else(tmp_path: Path) -> None:
    done = run(tmp_path, "report", DEFAULT)
    assert done.status == 0, done.output
    assert done.hosts == {"server-1", "agent-1"}
    before = done.output.partition("PLAY [How the fleet stands with its registries]")[0]
    assert [line for line in before.splitlines() if line.strip("* ")] == [
        line for line in before.splitlines() if line.startswith(("PLAY [", "TASK ["))
    ]
    assert len([line for line in before.splitlines() if line.strip()]) == 2


@pytest.mark.parametrize("option", mostly_nightly(["--list-hosts", "--syntax-check"], "--list-hosts"))
def test_what_ansible_does_without_running_a_play_goes_on_working(tmp_path: Path, option: str) -> None:
    done = run(tmp_path, "site", DEFAULT, option)
    assert done.status == 0, done.output
    if option == "--list-hosts":
        assert "server-1" in done.output
