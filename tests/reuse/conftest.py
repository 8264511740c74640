# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two small clusters, east and west, and a project of somebody else's that has the collection from its tarball."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.fleet import up
from tests.fleet.state import Fleet
from tests.integration.secrets_watch import Secrets
from tests.reuse.members import Members
from tests.reuse.project import Project


@pytest.fixture(scope="session")
def fleets() -> Iterator[dict[str, Fleet]]:
    names = ("reuse", "reusewest")
    try:
        for name in names:
            up.down(name)
        yield {name: up.up(name, 1, 1, "k3s", "stand-in", 40) for name in names}
    finally:
        for name in names:
            up.down(name)


@pytest.fixture(scope="session")
def east(fleets: dict[str, Fleet]) -> Members:
    """One server and one agent."""
    return Members(fleets["reuse"], "east-")


@pytest.fixture(scope="session")
def west(fleets: dict[str, Fleet]) -> Members:
    """One server and one agent."""
    return Members(fleets["reusewest"], "west-")


@pytest.fixture(scope="session")
def project(fleets: dict[str, Fleet], tmp_path_factory: pytest.TempPathFactory) -> Project:
    named = {}
    for name, fleet in fleets.items():
        named["the password of " + name] = fleet.registry.password.split()[0]
        named["the client's key of " + name] = (fleet.folder / "pki" / "client.key").read_text(encoding="utf-8")
    secrets = Secrets(named)
    for fleet in fleets.values():
        secrets.add_basic_auth(fleet.registry.username, fleet.registry.password)
    project = Project(tmp_path_factory.mktemp("reuse"), secrets)
    project.install()
    return project
