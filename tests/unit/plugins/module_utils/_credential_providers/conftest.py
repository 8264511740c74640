# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of the providers' tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths, node_paths


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    folder = tmp_path / "credentialprovider"
    (tmp_path / "etc").mkdir()
    return node_paths(
        config_dir=str(tmp_path / "etc"),
        provider_config=str(folder / "config.yaml"),
        provider_bin_dir=str(folder / "bin"),
    )
