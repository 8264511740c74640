# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which providers the kubelet of a node has, and for which registries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import configured
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import (
    Declared,
    Provider,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import placing
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import SETTINGS, Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths


def test_which_providers_a_node_has(paths: NodePaths) -> None:
    assert configured.known(paths) == configured.Known((), "")
    given = Provider("own", "", ("registry.example.com",), path="/bin/true")
    state = Desired(SETTINGS, (), None, None, {}, "", (), ())
    state = replace(state, providers=(Declared(given, {}),)).at(paths)
    memory = Memory(paths)
    placing.place(paths, state, memory.record())
    placing.remember(paths, memory, state, 0)
    assert configured.known(paths) == configured.Known((given,), "")
    config = Path(paths.provider_config)
    config.write_text(config.read_text() + "# by hand\n")
    assert "was edited" in configured.known(paths).problem
    config.write_text("providers: []\n")
    assert "was not written by this collection" in configured.known(paths).problem


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("registry.example.com:5000", True),
        ("registry.example.com:5000/team/app", True),
        ("*.example.com:5000/team", True),
        ("registry.example.com", False),
        ("other.example.com:5000", False),
    ],
)
def test_for_which_registries_a_provider_is_asked(pattern: str, expected: bool) -> None:
    provider = Provider("own", "0" * 64, ("nowhere.example.com", pattern))
    assert configured.is_for(provider, "registry.example.com:5000") is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("docker.io/team", False), ("quay.io", True), ("*.example.com", True)],
)
def test_whether_it_is_asked_for_any_other_registry(pattern: str, expected: bool) -> None:
    provider = Provider("own", "0" * 64, ("docker.io", pattern))
    assert configured.is_for_others(provider, ("docker.io",)) is expected
