# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a rollout's settings is said before the first node, with the variable's name."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import ansible_run
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.agents_at_once import (
    BatchProblem,
    batch_sizes,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.rollout_settings import Checked, check

AGENTS = ["agent-%d" % number for number in range(400)]
GROUPS = {"server": ["server-1"], "agent": AGENTS, "all": ["server-1", *AGENTS], "edge": AGENTS[:3], "spare": []}


def checked(batch: Any = "1", canary: str = "", forks: int = 5, **task_vars: Any) -> Checked:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ansible_run, "forks", lambda: forks)
        play = {"groups": GROUPS, "ansible_play_hosts_all": GROUPS["all"], **task_vars}
        return check({"agent_batch": batch, "canary": canary}, "server/agent", play)


@pytest.mark.parametrize(
    ("batch", "total", "size"), [("1", 9, 1), (3, 9, 3), ("25%", 9, 2), ("1%", 9, 1), ("100%", 9, 9), ("50%", 0, 1)]
)
def test_batch_size(batch: Any, total: int, size: int) -> None:
    assert batch_sizes(batch, total) == (size,)


@pytest.mark.parametrize(
    ("batch", "sizes"),
    [
        ([1, 5, "10%"], (1, 5, 40)),
        ((1, "5"), (1, 5)),
        ("1, 5, 10%", (1, 5, 40)),
        ("1,5,10 %", (1, 5, 40)),
        ("[1, 5, '10%']", (1, 5, 40)),
        ('[1,5,"10%"]', (1, 5, 40)),
        (["25%"], (100,)),
    ],
)
def test_a_list_or_the_same_as_text(batch: Any, sizes: tuple[int, ...]) -> None:
    assert batch_sizes(batch, 400) == sizes


@pytest.mark.parametrize("batch", [[], [1, "many"], "1, many", "1,,5", "1,", [1, None], [[1]], "[]", [1, 0], "5, 101%"])
def test_one_mistake_in_a_list_is_an_error(batch: Any) -> None:
    with pytest.raises(BatchProblem):
        batch_sizes(batch, 400)
    [error] = checked(batch=batch).errors
    assert error.startswith("k3s_registries_agent_batch: ")


def test_the_entry_that_is_wrong_is_named_with_the_list() -> None:
    with pytest.raises(BatchProblem, match=r"'many' is neither .* such as 25% \(in \[1, 'many'\]\)"):
        batch_sizes([1, "many"], 400)


@pytest.mark.parametrize("batch", ["ten", "0", "-1", "150%", "101%", "0%", "", "1.5", None])
def test_what_is_no_batch_is_refused_with_the_variables_name(batch: Any) -> None:
    with pytest.raises(BatchProblem):
        batch_sizes(batch, 10)
    [error] = checked(batch=str(batch)).errors
    assert error.startswith("k3s_registries_agent_batch: %r is neither a positive number" % str(batch))


@pytest.mark.parametrize("batch", ["1", "5", "1%"])
def test_a_batch_within_the_forks_needs_no_word(batch: str) -> None:
    assert checked(batch=batch) == ([], [])


@pytest.mark.parametrize(
    ("batch", "forks", "wanted", "counts"),
    [
        ("10%", 5, "10% of the 400 agents in this play are 40 at once", 5),
        ("6", 5, "6 agents at once", 5),
        ("900", 20, "400 agents at once", 20),
        ([1, 5, "10%"], 20, "1, 5, 10% of the 400 agents in this play are up to 40 at once", 20),
    ],
)
def test_fewer_forks_than_the_batch_are_said_with_the_number_that_counts(
    batch: Any, forks: int, wanted: str, counts: int
) -> None:
    found = checked(batch=batch, forks=forks)
    assert found.errors == []
    [warning] = found.warnings
    assert wanted in warning
    assert "only %d forks, so no more than %d will restart at once" % (counts, counts) in warning


def test_only_agents_of_the_play_count() -> None:
    assert checked(batch="10%", ansible_play_hosts_all=AGENTS[:50]) == ([], [])


@pytest.mark.parametrize("canary", ["agent-7", "server-1", "edge", "agent"])
def test_a_host_or_group_of_the_play_is_a_canary(canary: str) -> None:
    assert checked(canary=canary) == ([], [])


def test_a_mistyped_canary_is_an_error() -> None:
    [error] = checked(canary="egde").errors
    assert "k3s_registries_canary: the inventory has neither a host nor a group with the name 'egde'" in error


@pytest.mark.parametrize("canary", ["spare", "edge", "agent-1"])
def test_a_canary_outside_the_play_is_a_warning(canary: str) -> None:
    found = checked(canary=canary, ansible_play_hosts_all=["server-1", "agent-9"])
    assert found.errors == []
    assert "no node of '%s' takes part in this play" % canary in found.warnings[0]
