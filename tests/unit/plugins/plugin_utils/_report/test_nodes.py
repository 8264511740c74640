# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a node stands: one condition, the worst; and what a registry is to it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import nodes as assess
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import nodes, overview, words

from .hosts import document, endpoint, host, info

DEFAULT_DOWN = endpoint("timeout", "default")


def test_a_node_without_trouble_is_ok() -> None:
    row = nodes.node("n", host(endpoints=[endpoint()]))
    assert (row.condition, row.level, row.reasons, row.troubled) == ("ok", "ok", [], False)


def test_the_worst_condition_wins_and_the_reasons_name_all() -> None:
    row = nodes.node(
        "n",
        host(
            info=info(
                state="pending",
                certificates=[{"days_left": 3}],
                problems=[{"code": "proxy", "level": "error"}],
            ),
            endpoints=[endpoint("dns_failure")],
            pulls=[{}, {}],
        ),
    )
    assert row.condition == "failing"
    assert row.reasons == [
        "docker.io fails", "2 failing pulls", "restart pending", "certificate 3 days",
        "a proxy is in front of a mirror",
    ]  # fmt: skip


def test_many_registries_are_counted_not_listed() -> None:
    failing = [endpoint("timeout", registry=name) for name in ("a", "b", "c")]
    partly = [endpoint("timeout", registry="d"), endpoint("ok", "default", registry="d")]
    assert nodes.node("n", host(endpoints=failing + partly)).reasons == ["3 registries fail", "d works partly"]


@pytest.mark.parametrize(
    ("endpoints", "level", "word"),
    [
        ([endpoint()], "ok", "ok"),
        ([endpoint(), DEFAULT_DOWN], "ok", "ok"),
        ([DEFAULT_DOWN], "error", "timeout"),
        ([endpoint("unauthorized"), endpoint("ok", "default")], "warning", "partly: unauthorized"),
        ([endpoint("new_cause")], "error", "new cause"),
        ([endpoint(), endpoint("not_found", image="docker.io/a:1")], "error", "image missing"),
    ],
)
def test_a_registry_in_words(endpoints: list[Any], level: str, word: str) -> None:
    found = nodes.node("n", host(endpoints=endpoints)).cells["docker.io"]
    assert (found.level, found.word) == (level, word)


def test_trouble_comes_first_and_then_the_natural_order() -> None:
    fleet = document(a=host(), b=host(info=info(state="pending")), c=host(unreachable="gone"), d=host())
    assert [row.name for row in nodes.nodes(fleet)] == ["c", "b", "a", "d"]


def test_every_state_and_condition_has_words() -> None:
    assert set(words.STATES) == set(assess.STATES)
    assert list(words.CONDITIONS) == list(assess.CONDITIONS)


def test_the_headline_counts_who_needs_attention() -> None:
    well, pending = nodes.node("a", host()), nodes.node("b", host(info=info(state="pending")))
    stopped = nodes.node("c", host(info=info(state="stopped")))
    assert overview.headline([]) == "There are no nodes in this report"
    assert overview.headline([well]) == "The node is well"
    assert overview.headline([well, well, stopped]) == "All 3 nodes are well"
    assert overview.headline([well, stopped]) == "Both nodes are well"
    assert overview.headline([pending]) == "The node needs attention"
    assert overview.headline([pending] * 3) == "All 3 nodes need attention"
    assert overview.headline([well, pending]) == "1 of 2 nodes needs attention"


def test_a_share_leaves_out_nodes_without_the_registry() -> None:
    fleet = document(
        a=host(endpoints=[endpoint()]), b=host(), c=host(endpoints=[endpoint("timeout")]), d=host(unreachable="gone")
    )
    found = overview.share("docker.io", nodes.nodes(fleet))
    assert [(part.level, part.number) for part in found.parts] == [("ok", 1), ("error", 1), ("unknown", 1)]
    assert round(sum(part.width for part in found.parts)) == 100
    assert found.level == "error"
    assert found.summary == "1 timeout, 1 not known"
