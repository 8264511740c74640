# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixture itself. A folder of tests that wants it imports it in its conftest.py."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.certificates import Pki
from tests.hostile.neighbourhood import Neighbourhood


@pytest.fixture(scope="session")
def hostile_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def hostile(hostile_pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Neighbourhood]:
    """A network of hostile servers, with its ledger."""
    made = Neighbourhood(tmp_path, hostile_pki)
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo(socket.getaddrinfo))
    yield made
    made.close()
