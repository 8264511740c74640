# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from authority import Issued, issue


@pytest.fixture(scope="session")
def root() -> Issued:
    return issue("Test Root", ca=True, sign=True)


@pytest.fixture(scope="session")
def intermediate(root: Issued) -> Issued:
    return root.issue("Test Intermediate", ca=True, sign=True)


@pytest.fixture(scope="session")
def client(intermediate: Issued) -> Issued:
    return intermediate.issue("node", usage=("client",))


@pytest.fixture(scope="session")
def server(intermediate: Issued) -> Issued:
    return intermediate.issue(
        "registry",
        usage=("server",),
        dns=("registry.example.com", "*.wild.example.com"),
        addresses=("10.1.2.3", "fd00::1"),
    )
