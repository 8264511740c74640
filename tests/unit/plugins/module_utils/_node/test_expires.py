# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The days on which credentials end: remembered on the node, not where K3s reads, and no reason to restart."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import from_text
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.stage import previous_state

from tests.unit.plugins.module_utils._node.fake_node import FakeK3s, Node, wanted

ENDS = {"registry": "2027-01-31"}


def test_another_day_is_remembered_without_a_restart_or_a_change(node: Node, k3s: FakeK3s) -> None:
    one = wanted(node.paths, "one", "pass-word-1")
    k3s.knows(one)
    node.apply(one)
    restarts, live = k3s.restarts, node.registries()
    assert Memory(node.paths).record()["expires"] == {}
    told = replace(one, expires=ENDS, description=one.description + "# registry: credentials end on 2027-01-31\n")
    node.apply(told)
    assert Memory(node.paths).record()["expires"] == ENDS
    assert (k3s.restarts, node.registries()) == (restarts, live)
    node.apply(one)
    assert Memory(node.paths).record()["expires"] == {}
    assert k3s.restarts == restarts


def test_a_rolled_back_node_remembers_the_day_of_its_credentials(node: Node, k3s: FakeK3s) -> None:
    one, two = (wanted(node.paths, name, "pass-" + name) for name in ("one", "two"))
    one = replace(one, expires=ENDS)
    k3s.knows(one, two)
    node.apply(one)
    node.apply(two)
    assert Memory(node.paths).record()["expires"] == {}
    earlier = previous_state(node.paths)
    assert earlier is not None
    node.apply(earlier)
    assert k3s.has_loaded("one")
    assert Memory(node.paths).record()["expires"] == ENDS


def test_the_days_travel_with_the_state(node: Node) -> None:
    one = replace(wanted(node.paths, "one"), expires=ENDS)
    assert from_text(one.text()).expires == ENDS
    assert ENDS["registry"] not in (one.registries_text or "")
