# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking over a registries.yaml that somebody else has written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.stage import StageRefused

from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node, wanted

THEIRS = b"mirrors: {}  # by hand\n"


def found(node: Node, k3s: FakeK3s, name: str, password: str = "") -> None:
    """A node that runs somebody's file, of which K3s has made what it makes of the configuration ``name``."""
    k3s.known[THEIRS] = wanted(node.paths, name, password)
    Path(node.paths.registries_yaml).write_bytes(THEIRS)
    os.utime(node.paths.registries_yaml, (0, 0))
    k3s.load()


def test_one_that_is_equal_in_effect_is_taken_over_without_a_restart(node: Node, k3s: FakeK3s) -> None:
    found(node, k3s, "one", "pass-word-1")
    one = wanted(node.paths, "one", "pass-word-1")
    k3s.knows(one)
    result = node.stage(one, adopt=True)
    assert (result["foreign"], result["restart"], k3s.restarts) == (True, False, 0)
    assert node.registries() == one.files[-1].content
    assert not node.stage(one, adopt=True)["changed"]
    assert any(content == THEIRS for _mode, content in node.tree().values()), "theirs is kept"


@pytest.mark.parametrize(("name", "password"), [("two", "pass-word-1"), ("one", "pass-word-2")])
def test_one_that_differs_is_shown_and_left_alone(node: Node, k3s: FakeK3s, name: str, password: str) -> None:
    found(node, k3s, name, password)
    before = node.tree()
    with pytest.raises(StageRefused, match="not equal in effect") as refused:
        node.stage(wanted(node.paths, "one", "pass-word-1"), adopt=True)
    assert node.tree() == before
    text = str(refused.value)
    assert "k3s_registries_adopt: false" in text
    assert "pass-word" not in text
    if name == "two":
        assert "+++ certs.d/docker.io/hosts.toml (wanted)" in text


def test_one_that_k3s_has_not_read_is_left_alone(node: Node, k3s: FakeK3s) -> None:
    found(node, k3s, "one")
    os.utime(node.paths.registries_yaml)
    with pytest.raises(StageRefused, match="newer than the running"):
        node.stage(wanted(node.paths, "one"), adopt=True)


def test_where_nothing_runs_there_is_no_telling(node: Node, k3s: FakeK3s) -> None:
    found(node, k3s, "one")
    k3s.running = False
    with pytest.raises(StageRefused, match="cannot be seen"):
        node.stage(wanted(node.paths, "one"), adopt=True)


def test_without_it_the_file_is_replaced_and_kept(node: Node, k3s: FakeK3s) -> None:
    found(node, k3s, "two")
    one = wanted(node.paths, "one")
    k3s.knows(one)
    node.apply(one)
    assert node.registries() == one.files[-1].content
    assert any(content == THEIRS for _mode, content in node.tree().values())


def test_ours_is_nobody_elses(node: Node, k3s: FakeK3s) -> None:
    one, two = wanted(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    assert node.stage(two, adopt=True)["restart"]
