# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario's nodes as testinfra hosts, over SSH as their operator reaches them."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
import testinfra
import yaml

from tests.fleet import state
from tests.fleet.podman import CHECKOUT
from tests.fleet.state import Fleet

sys.path.insert(0, str(CHECKOUT / ".ansible" / "collections"))

# Another scenario runs some of these tests on its own fleet.
NAME = os.environ.get("MOLECULE_FLEET", "molecule")


@pytest.fixture(scope="session")
def fleet() -> Fleet:
    return state.load(NAME)


@pytest.fixture(scope="session")
def wanted(fleet: Fleet) -> dict[str, Any]:
    """The variables that the scenario gave to the role."""
    found: dict[str, Any] = yaml.safe_load((fleet.folder / "registries.yml").read_text(encoding="utf-8"))
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test of a node is run for each node of the fleet."""
    if "node" in metafunc.fixturenames:
        metafunc.parametrize("node", [node.name for node in state.load(NAME).nodes], indirect=True, scope="session")


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest, fleet: Fleet) -> Any:
    address = fleet.node(request.param).address
    known = fleet.folder / "ssh" / "known_hosts"
    host = testinfra.get_host(
        "ssh://%s@%s" % (state.USER, address),
        ssh_identity_file=str(fleet.folder / "ssh" / "id_ed25519"),
        ssh_extra_args="-o UserKnownHostsFile=%s -o IdentitiesOnly=yes -o ControlPath=/tmp/k3sfleet-%%C" % known,
        sudo=True,
    )
    host.fleet_name = request.param
    return host
