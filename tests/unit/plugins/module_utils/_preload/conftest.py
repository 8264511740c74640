# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's folders in a temporary one, archives of a few bytes, and a containerd that is a table."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload import archive as archives
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload import part, relay_client
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.archive import Archive, file_name
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.places import Places, make, places_of

BLOCK = 8


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (archives, part, relay_client):
        monkeypatch.setattr(module, "BLOCK", BLOCK)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    found = places_of(node_paths(data_dir=str(tmp_path / "k3s")))
    make(found)
    return found


def described(content: bytes, name: str = "pause", images: tuple[str, ...] = ()) -> Archive:
    """The archive with this content, as the controller describes it."""
    digest = hashlib.sha256(content).hexdigest()
    blocks = [
        hashlib.sha256(content[begin : begin + BLOCK]).hexdigest() for begin in range(0, len(content), BLOCK)
    ]  # fmt: skip
    named = images or ("docker.io/rancher/%s:1" % name,)
    return Archive(file_name(name, digest, ".tar"), digest, len(content), named, tuple(blocks))
