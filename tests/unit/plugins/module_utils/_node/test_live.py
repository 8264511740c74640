# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes without a restart: when they are made, what they leave, when a restart is taken instead."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import installed_release
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.commit import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

from tests.unit.plugins.module_utils._node.fake_node import (
    AWAY,
    HEADER,
    FakeK3s,
    Node,
    nothing_wanted,
    of_config,
    wanted,
)


def live(paths: NodePaths, name: str, password: str = "", certificate: str = "") -> Desired:
    state = wanted(paths, name, password, certificate)
    return replace(state, settings=dict(state.settings, live=True))


def hosts_toml(node: Node) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(node.paths.certs_d)): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in Path(node.paths.certs_d).rglob("hosts.toml")
    }


def test_a_change_of_mirrors_restarts_nothing_and_the_next_start_changes_nothing(node: Node, k3s: FakeK3s) -> None:
    one, two = live(node.paths, "one", "pass-word", "CA 1"), live(node.paths, "two", "pass-word", "CA 2")
    k3s.knows(one, two)
    node.apply(one)
    restarts = k3s.restarts
    # Nothing restarts, so the other servers are not asked.
    k3s.looks, k3s.others = 0, [AWAY]
    assert node.stage(two)["live"]
    result = node.commit(canary_images=["image:1"])
    assert (result["restarted"], result["live"], result["step"]) == (False, True, "done")
    assert (k3s.restarts, k3s.looks, k3s.pulled[-1]) == (restarts, 0, "image:1")
    assert Path(node.paths.cert_dir, "registry/ca.crt").read_text() == "CA 2"
    written = hosts_toml(node)
    assert {name: mode for name, (_text, mode) in written.items()} == dict.fromkeys(
        ("docker.io/hosts.toml", "registry/hosts.toml"), 0o644
    )
    assert k3s.has_loaded("two")
    k3s.restart()
    for name in written:
        os.chmod(os.path.join(node.paths.certs_d, name), 0o644)
    assert hosts_toml(node) == written
    assert not node.stage(two)["restart"]


def test_new_registries_and_removed_ones(node: Node, k3s: FakeK3s) -> None:
    one = live(node.paths, "one")
    config = {"mirrors": {name: {"endpoint": ["https://one"]} for name in ("docker.io", "quay.io")}}
    more = replace(of_config(config), settings=one.settings)
    k3s.knows(one, more)
    node.apply(one)
    node.apply(more)
    assert set(hosts_toml(node)) == {"docker.io/hosts.toml", "quay.io/hosts.toml"}
    node.apply(one)
    assert set(hosts_toml(node)) == {"docker.io/hosts.toml"}
    assert not Path(node.paths.certs_d, "quay.io").exists()
    gone = replace(nothing_wanted(), settings={"live": True})
    assert node.stage(gone)["live"]
    node.commit()
    assert (hosts_toml(node), node.tree(), k3s.restarts) == ({}, {}, 0)


@pytest.mark.parametrize(
    ("doubt", "reason"),
    [
        ("credentials", "not a user name with a password"),
        ("edited", "edited since"),
        ("certs.d", "certs.d is not exactly what K3s writes"),
        ("old release", "in an older form"),
        ("not root's alone", "others than its owner may write"),
    ],
)
def test_in_doubt_it_restarts_and_says_why(
    node: Node, k3s: FakeK3s, monkeypatch: pytest.MonkeyPatch, doubt: str, reason: str
) -> None:
    one = live(node.paths, "one", "pass-word")
    two = live(node.paths, "two", "another-word" if doubt == "credentials" else "pass-word")
    k3s.knows(one, two)
    node.apply(one)
    restarts = k3s.restarts
    if doubt == "edited":
        Path(node.paths.registries_yaml).write_bytes(one.files[-1].content + b"# mine\n")
    if doubt == "certs.d":
        Path(node.paths.certs_d, "docker.io/hosts.toml").write_text(HEADER + "mine\n")
    if doubt == "not root's alone":
        Path(node.paths.data_dir).chmod(0o777)
    if doubt == "old release":
        monkeypatch.setattr(installed_release, "installed", lambda paths, keep: "v1.28.9+k3s1")
    staged = node.stage(two)
    assert (staged["live"], staged["restart"]) == (False, True)
    assert reason in staged["reasons"][-1]
    assert node.commit()["restarted"]
    assert k3s.restarts == restarts + 1


def test_a_canary_that_fails_puts_everything_back_without_a_restart(node: Node, k3s: FakeK3s) -> None:
    one, two = live(node.paths, "one", "pass-word", "CA 1"), live(node.paths, "two", "pass-word", "CA 2")
    k3s.knows(one, two)
    node.apply(one)
    before, generated, restarts = node.registries(), hosts_toml(node), k3s.restarts
    for path in Path(node.paths.certs_d).rglob("hosts.toml"):
        path.chmod(0o644)
    k3s.missing_images = {"image:1"}
    node.stage(two)
    with pytest.raises(Failure, match="put back as it was"):
        node.commit(canary_images=["image:1"])
    assert (node.registries(), k3s.restarts) == (before, restarts)
    assert {name: content for name, (content, _mode) in hosts_toml(node).items()} == {
        name: content for name, (content, _mode) in generated.items()
    }
    assert Path(node.paths.cert_dir, "registry/ca.crt").read_text() == "CA 1"
