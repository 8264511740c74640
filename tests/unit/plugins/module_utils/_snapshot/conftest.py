# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that has everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import generated

from tests.unit.plugins.module_utils._snapshot.whole_node import WholeNode


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WholeNode]:
    monkeypatch.setattr(generated, "read_auth_tables", json.loads)
    found = WholeNode(tmp_path / "node", monkeypatch)
    try:
        found.get_everything()
        yield found
    finally:
        found.stop()
