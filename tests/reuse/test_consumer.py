# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""examples/consumer, a copy of it apart from the checkout, with the collection installed from its tarball."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fleet import access_log, events
from tests.fleet.podman import CHECKOUT
from tests.reuse.members import Members
from tests.reuse.project import COLLECTION, Project

_LEFT = "find /etc/rancher/k3s -maxdepth 1 '(' -name 'registr*' -o -name k3sfleet ')'"


@pytest.fixture(scope="module")
def consumer(project: Project, east: Members) -> Path:
    """The copy, with an inventory of the fleet's nodes in acme's words."""
    folder = project.folder / "consumer"
    shutil.copytree(CHECKOUT / "examples" / "consumer", folder)
    registry = east.fleet.registry
    pki = east.fleet.folder / "pki"
    variables = {
        "acme_edge_registry_host": "%s:%d" % (registry.host, registry.port),
        "acme_edge_registry_username": registry.username,
        "acme_edge_registry_password": registry.password,
        "acme_edge_registry_ca": str(pki / "ca.crt"),
        "acme_edge_registry_client_certificate": str(pki / "client.crt"),
        "acme_edge_registry_client_key": str(pki / "client.key"),
    }
    edge = east.group(variables, names=("edge_servers", "edge_agents"))
    project.write("consumer/lab.yml", {"all": {"children": {"edge": edge}}})
    return folder


def test_the_collection_is_the_tarballs_and_meets_the_consumers_requirements(project: Project, consumer: Path) -> None:
    known = {path: found[COLLECTION]["version"] for path, found in project.knows().items() if COLLECTION in found}
    version = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    assert known == {str(project.collections / "ansible_collections"): version}
    assert not project.installed.is_symlink()
    assert (project.installed / "MANIFEST.json").is_file()
    wanted = ["ansible-galaxy", "collection", "install", "--offline", "--requirements-file=requirements.yml"]
    run = project.run(wanted, consumer)
    assert run.code == 0, run.output
    assert "Nothing to do" in run.output


def test_every_task_of_the_role_comes_from_the_tarball(project: Project, consumer: Path, east: Members) -> None:
    before = east.configured()
    run = project.run(["ansible-playbook", "--inventory=lab.yml", "--check", "-vv", "site.yml"], consumer).ok()
    paths = {line.split(": ", 1)[1].rpartition(":")[0] for line in run.output.splitlines() if "task path: " in line}
    roles = {path for path in paths if "/roles/k3s_registries/" in path}
    assert roles
    assert all(path.startswith(str(project.installed)) for path in roles), roles
    assert not any(path.startswith(str(CHECKOUT)) for path in paths), paths
    assert east.configured() == before


@pytest.fixture(scope="module")
def tested(project: Project, consumer: Path) -> Any:
    inventory = {"ACME_INVENTORY": str(consumer / "lab.yml")}
    return project.run(["molecule", "test"], consumer, **inventory)


def test_molecule_is_green_and_each_node_restarted_for_what_changed(tested: Any, east: Members) -> None:
    tested.ok()
    # Once for the registry and once to take it away: not for the second converge, nor for verify.
    assert east.restarts(tested.began) == dict.fromkeys(east.named(), 2)
    assert events.report(east.fleet, tested.began)["overlapping"] == []
    east.must_have_had_the_lease(tested)


def test_every_node_has_pulled_from_the_registry(tested: Any, east: Members) -> None:
    pulled = {
        "east-" + str(entry["node"])
        for entry in access_log.entries(east.fleet, tested.began)
        if entry["status"] == 200 and "/v2/rancher/mirrored-pause/manifests/" in entry["path"]
    }
    assert set(east.named()) <= pulled


@pytest.mark.usefixtures("tested")
def test_nothing_is_left_on_the_nodes(east: Members) -> None:
    assert {name: east.sh(name, _LEFT) for name in east.named()} == dict.fromkeys(east.named(), "")
    assert east.loaded() == east.everywhere()
