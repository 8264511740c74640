# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that manages K3s' settings alone: the drop-in, and nothing else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import stage
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import SETTINGS, Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.stage import previous_state

from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node, nothing_wanted, wanted

FOREIGN = b"mirrors: {quay.io: {endpoint: [https://mine]}}\n"


def settings(**values: Any) -> Desired:
    return Desired(SETTINGS, (), None, None, {"keep_generations": 3, "live": True, **values}, "", (), ())


@pytest.fixture
def started_now(k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch) -> None:
    """A K3s whose start is newer than every file that was there before it, as the real one's is."""
    real = k3s.state

    def state() -> Any:
        found = real()
        return found._replace(started=found.started and k3s.clock)

    def restart() -> None:
        type(k3s).restart(k3s)
        k3s.clock = 4_000_000_000.0

    k3s.clock = 1.0  # type: ignore[attr-defined]
    monkeypatch.setattr(k3s, "state", state)
    monkeypatch.setattr(k3s, "restart", restart)


@pytest.mark.usefixtures("started_now")
def test_somebody_else_s_registries_yaml_is_left_as_it_is(node: Node, k3s: FakeK3s) -> None:
    k3s.known[FOREIGN] = wanted(node.paths, "mine")
    Path(node.paths.registries_yaml).write_bytes(FOREIGN)
    k3s.restart()
    k3s.clock = 1.0  # type: ignore[attr-defined]
    one = settings(embedded_registry=True)
    staged = node.stage(one)
    assert (staged["restart"], staged["live"]) == (True, False)
    assert staged["reasons"] == ["%s will be changed" % node.paths.drop_in]
    result = node.commit(canary_images=["image:1"])
    assert (result["restarted"], k3s.pulled) == (True, ["image:1"])
    assert node.registries() == FOREIGN
    assert b"embedded-registry: true" in Path(node.paths.drop_in).read_bytes()
    assert not node.stage(one)["restart"]
    assert not node.stage(one)["changed"]


@pytest.mark.usefixtures("started_now")
def test_the_collection_s_own_is_left_too_and_that_is_said(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one", certificate="CA")
    k3s.knows(one)
    node.apply(one)
    before = node.registries()
    k3s.clock = 1.0  # type: ignore[attr-defined]
    staged = node.stage(settings(embedded_registry=True))
    assert any("is left as it is, since k3s_registries is empty" in warning for warning in staged["warnings"])
    node.commit()
    assert node.registries() == before
    assert Path(node.paths.cert_dir, "registry/ca.crt").read_text() == "CA"
    # What an earlier run has put there is still the collection's, to be taken away one day.
    node.apply(nothing_wanted())
    assert node.registries() == b""
    assert not Path(node.paths.cert_dir).exists()
    assert not Path(node.paths.drop_in).exists()


@pytest.mark.usefixtures("started_now")
def test_a_node_that_does_not_come_back_gets_its_drop_in_back(node: Node, k3s: FakeK3s) -> None:
    k3s.missing_images = {"image:1"}
    node.stage(settings(embedded_registry=True))
    with pytest.raises(Failure, match="put back as it was"):
        node.commit(canary_images=["image:1"])
    assert not os.path.exists(node.paths.drop_in)


@pytest.mark.usefixtures("started_now")
def test_it_goes_back_to_the_settings_before(node: Node, k3s: FakeK3s) -> None:
    node.apply(settings(disable_default_endpoint=False))
    k3s.clock = 1.0  # type: ignore[attr-defined]
    node.apply(settings(disable_default_endpoint=True))
    k3s.clock = 1.0  # type: ignore[attr-defined]
    desired = previous_state(node.paths)
    assert desired is not None
    node.apply(replace(desired))
    assert b"disable-default-registry-endpoint: false" in Path(node.paths.drop_in).read_bytes()


def test_a_feature_that_the_release_lacks_is_refused(node: Node, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.installed_release, "installed", lambda paths, keep: "v1.25.16+k3s1")
    with pytest.raises(stage.StageRefused, match="embedded"):
        node.stage(settings(embedded_registry=True))
