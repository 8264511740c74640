# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of three servers and an agent for all jobs, and jobs on it whose events are searched for secrets."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

import pytest
import yaml

from tests.fleet import nodes, up
from tests.fleet.state import Fleet
from tests.integration.secrets_watch import Secrets
from tests.runner.job import AS_TEXT, Job

MakeJob = Callable[..., Job]


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    up.down("runner")
    yield up.up("runner", 3, 1, "k3s", "stand-in", 40)
    up.down("runner")


@pytest.fixture(scope="session")
def secrets(fleet: Fleet) -> Secrets:
    key = (fleet.folder / "pki" / "client.key").read_text(encoding="utf-8")
    found = Secrets({"the password": fleet.registry.password.split()[0], "the client's key": key})
    found.add_basic_auth(fleet.registry.username, fleet.registry.password)
    return found


_NUMBERS = itertools.count(41)


@pytest.fixture
def job(fleet: Fleet, secrets: Secrets, tmp_path: Path) -> Iterator[MakeJob]:
    """Makes jobs; their events are searched when the test ends."""
    made: list[Job] = []
    registries: dict[str, Any] = yaml.safe_load((fleet.folder / "registries.yml").read_text(encoding="utf-8"))

    def make(hosts: Sequence[str] = (), **more: Any) -> Job:
        made.append(Job(fleet, tmp_path, next(_NUMBERS), {**registries, **AS_TEXT, **more}, hosts))
        return made[-1]

    yield make
    for one in made:
        one.must_have_kept(secrets)


@pytest.fixture
def bare(fleet: Fleet) -> None:
    """Nodes without any registries configuration, as the next job finds them: every node has to be restarted."""
    for node in fleet.nodes:
        script = "rm -rf /etc/rancher/k3s/registries.yaml /etc/rancher/k3s/registry-certs"
        nodes.execute(fleet, node.name, ["sh", "-c", script])
