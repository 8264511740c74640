# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back to the previous state."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.stage import previous_state

from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node, nothing_wanted, wanted


def back(node: Node) -> bool:
    """One rollback run on the node; whether anything was restarted."""
    desired = previous_state(node.paths)
    assert desired is not None
    return bool(node.apply(desired))


def test_it_goes_back_once_and_stays(node: Node, k3s: FakeK3s) -> None:
    states = [wanted(node.paths, name, "pass-" + name, "CA " + name) for name in ("one", "two", "three")]
    k3s.knows(*states)
    for state in states:
        node.apply(state)
    assert back(node)
    assert k3s.has_loaded("two")
    assert Path(node.paths.cert_dir, "registry/ca.crt").read_text() == "CA two"
    assert not back(node), "an interrupted rollback over a fleet can be run again"
    assert k3s.has_loaded("two")
    node.apply(states[2])
    assert back(node), "after a new change there is something to go back from again"
    assert k3s.has_loaded("two")


def test_it_goes_back_to_what_was_found(node: Node, k3s: FakeK3s) -> None:
    k3s.known[b"mirrors: {}\n"] = nothing_wanted()
    Path(node.paths.registries_yaml).write_bytes(b"mirrors: {}\n")
    one = wanted(node.paths, "one", certificate="CA")
    k3s.knows(one)
    node.apply(one)
    back(node)
    assert node.registries() == b"mirrors: {}\n"
    assert not Path(node.paths.cert_dir).exists()


def test_it_goes_back_to_nothing(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one", "pass-word-1", "CA")
    k3s.knows(one)
    node.apply(one)
    back(node)
    assert node.tree() == {}
    assert k3s.loaded_text() == ""


def test_what_a_removal_after_it_takes_away_is_said_and_taken_once(node: Node, k3s: FakeK3s) -> None:
    """registries.yaml is the earlier one again, and none of ours; the kept states, secrets in them, are still there."""
    k3s.known[b"mirrors: {}\n"] = nothing_wanted()
    Path(node.paths.registries_yaml).write_bytes(b"mirrors: {}\n")
    one = wanted(node.paths, "one", "pass-word-1")
    k3s.knows(one)
    node.apply(one)
    back(node)
    removed = [{"path": node.paths.state_dir, "action": "remove"}]
    before = node.tree()
    for check_mode in (True, False):
        result = node.stage(nothing_wanted(), check_mode=check_mode)
        assert (result["changed"], result["restart"], result["files"]) == (True, False, removed)
        if check_mode:
            assert node.tree() == before
    assert set(node.tree()) == {"registries.yaml"}
    again = node.stage(nothing_wanted())
    assert (again["changed"], again["files"]) == (False, [])


def test_a_removal_says_that_it_keeps_the_earlier_file(node: Node, k3s: FakeK3s) -> None:
    k3s.known[b"mirrors: {}\n"] = nothing_wanted()
    Path(node.paths.registries_yaml).write_bytes(b"mirrors: {}\n")
    one = wanted(node.paths, "one")
    k3s.knows(one)
    node.apply(one)
    file = node.paths.registries_yaml
    assert node.stage(nothing_wanted(), check_mode=True)["files"] == [
        {"path": file, "action": "remove"},
        {"path": file + ".before-k3sfleet", "action": "create"},
        {"path": node.paths.state_dir, "action": "remove"},
    ]
    node.apply(nothing_wanted())
    assert set(node.tree()) == {"registries.yaml.before-k3sfleet"}
    assert not node.stage(nothing_wanted())["changed"]


def test_without_a_kept_state_there_is_none(node: Node) -> None:
    assert previous_state(node.paths) is None


def test_an_edit_by_hand_that_was_put_right_is_not_in_the_way(node: Node, k3s: FakeK3s) -> None:
    one, two = wanted(node.paths, "one"), wanted(node.paths, "two")
    k3s.knows(one, two)
    node.apply(one)
    node.apply(two)
    Path(node.paths.registries_yaml).write_bytes(b"broken: [\n")
    k3s.restart()
    node.stage(two)
    node.commit()
    back(node)
    assert "one" in k3s.loaded_text()
