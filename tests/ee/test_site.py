# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment that `python -m tests.ee` has built, at work: nothing of the checkout is in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.ee.__main__ import NAME
from tests.fleet import events, nodes, up
from tests.fleet.podman import podman
from tests.fleet.state import Fleet

USER_ID = 1000


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    up.down("ee")
    yield up.up("ee", 1, 1, "k3s", "stand-in", 40)
    up.down("ee")


def _for_its_user(fleet: Fleet) -> Path:
    """A copy of the fleet's folder that the image's user may read, and alone: the image does not run as root."""
    folder = fleet.folder / "for-ee"
    if not folder.exists():
        shutil.copytree(fleet.folder, folder, ignore=shutil.ignore_patterns("for-ee", "registry"))
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, USER_ID, 0)
    return folder


def inside(fleet: Fleet, *command: str) -> Any:
    return podman(
        "run", "--rm", "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000", "--network", fleet.name,
        "--volume", "%s:%s:ro" % (_for_its_user(fleet), fleet.folder), NAME, *command, check=False
    )  # fmt: skip


def site(fleet: Fleet, *options: str) -> str:
    outcome = inside(
        fleet, "ansible-playbook", "--inventory", str(fleet.folder / "inventory.yml"), "--extra-vars",
        "@%s" % (fleet.folder / "registries.yml"), *options, "k3sfleet.registries.site",
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return str(outcome.stdout)


def test_site_from_inside(fleet: Fleet) -> None:
    site(fleet)
    for node in fleet.nodes:
        assert fleet.registry.url in nodes.execute(fleet, node.name, ["cat", "/etc/rancher/k3s/registries.yaml"]).stdout
    assert site(fleet).count("changed=0") == len(fleet.nodes)
    assert events.report(fleet, 0)["overlapping"] == []


def test_it_has_what_the_collection_asks_for(fleet: Fleet) -> None:
    said = inside(fleet, "python3", "-c", "import re2, yaml, cryptography, ansible_runner; print('all')")
    assert said.stdout.strip() == "all", said.stderr
    assert inside(fleet, "ansible-playbook", "--version").stdout.startswith("ansible-playbook [core 2.18.")
