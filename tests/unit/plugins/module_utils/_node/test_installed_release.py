# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real run says about the release of a node: refused where a feature is lacking, a warning where known-bad."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import installed_release
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.stage import StageRefused
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.given import read
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.prepare import Settings, prepare

from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node

MIRROR = {"endpoint": ["https://mirror.example.com"]}
WILDCARD: dict[str, Any] = {"mirrors": {"*": MIRROR}}


def stage(node: Node, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], installed: str, **settings: Any) -> Any:
    monkeypatch.setattr(installed_release, "installed", lambda paths, keep: installed)
    desired = prepare(read(config), Settings(**settings), node.paths, read_file=lambda path: b"").desired
    assert desired is not None
    return node.stage(desired)


@pytest.mark.parametrize(
    ("config", "settings", "installed", "feature"),
    [
        (WILDCARD, {}, "v1.28.7+k3s1", '"*"'),
        ({"mirrors": {"docker.io": MIRROR}}, {"disable_default_endpoint": True}, "v1.26.12+k3s1", "disable-default"),
        ({"mirrors": {"docker.io": MIRROR}}, {"embedded_registry": True}, "v1.27.9+rke2r1", "embedded-registry"),
        (
            {"configs": {"docker.io": {"auth": {"username": "u", "password": "canary"}}}},
            {},
            "v1.31.10+k3s1",
            "docker.io",
        ),
    ],
)
def test_a_release_that_lacks_a_feature_is_refused_and_nothing_is_touched(
    node: Node,
    k3s: FakeK3s,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, Any],
    settings: dict[str, Any],
    installed: str,
    feature: str,
) -> None:
    before = node.tree()
    with pytest.raises(StageRefused) as refused:
        stage(node, monkeypatch, config, installed, **settings)
    assert installed in str(refused.value)
    assert feature in str(refused.value)
    assert "canary" not in str(refused.value)
    assert node.tree() == before


def test_a_known_bad_release_is_a_warning_that_names_the_fixed_one(
    node: Node, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch
) -> None:
    (warning,) = stage(node, monkeypatch, WILDCARD, "v1.31.6+k3s1")["warnings"]
    assert "v1.31.6+k3s1" in warning
    assert "v1.31.7+k3s1" in warning


@pytest.mark.parametrize("installed", ["v1.31.7+k3s1", "v1.34.3+k3s1", ""])
def test_a_good_or_unknown_release_says_nothing(
    node: Node, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch, installed: str
) -> None:
    assert stage(node, monkeypatch, WILDCARD, installed)["warnings"] == []
