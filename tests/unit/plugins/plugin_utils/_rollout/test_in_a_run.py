# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who goes next and how many at once in real runs of ansible-playbook, on hosts that are late at random.

``ROLLOUT_SEED`` repeats a run's delays; every failure prints it.
"""

from __future__ import annotations

import json
import os
import random
import re
from typing import Any

import pytest
from playbook import Playbooks, Seen, collection

from tests.conftest import mostly_nightly

ROLE = "k3sfleet.registries.k3s_registries"
ROLE_OF_OURS = {"name": ROLE}
SERVERS = ["s-1", "s-2", "s-3"]
AGENTS = ["a-1", "a-2", "a-3"]
# Agents come first in the play: the order of the phases is the rollout's own.
ONE = {"east": {"agent": AGENTS, "server": SERVERS}}
WEST = {"server": ["ws-1"], "agent": ["wa-1", "wa-2"]}


@pytest.fixture(scope="module")
def playbooks(tmp_path_factory: pytest.TempPathFactory) -> Playbooks:
    folder = tmp_path_factory.mktemp("rollout")
    collection(folder / "collections")
    return Playbooks(folder, int(os.environ.get("ROLLOUT_SEED") or random.SystemRandom().randrange(10**6)))


def must_keep_the_limits(seen: Seen, servers: list[str], agents: list[str], batch: int) -> None:
    assert seen.most_at_once(servers) == 1, str(seen)
    assert seen.most_at_once(agents) <= batch, str(seen)
    for server in servers:
        assert not seen.beside(server) & {*servers, *agents}, str(seen)


@pytest.mark.nightly
def test_the_order_of_the_run_is_that_of_the_printed_plan(playbooks: Playbooks) -> None:
    # The first of each phase is the last to come.
    late = {"s-1": 0.3, "a-1": 0.3}
    seen = playbooks.play(ONE, forks=20, later=late, variables={"k3s_registries_agent_batch": "2"})
    assert seen.code == 0, str(seen)
    assert seen.planned() == [[*SERVERS, *AGENTS]], str(seen)
    assert seen.order_of(SERVERS) == SERVERS == seen.order[:3], str(seen)
    # Two agents at a time begin together: whose clock shows it first is left to chance.
    assert (sorted(seen.order[3:5]), seen.order[5:]) == (AGENTS[:2], AGENTS[2:]), str(seen)
    must_keep_the_limits(seen, SERVERS, AGENTS, 2)
    assert "agents, 2 at a time: " in seen.output


@pytest.mark.nightly
@pytest.mark.parametrize(("forks", "hosts_of_a_role"), [(1, 2), (2, 3), (20, 3)])
def test_two_clusters_of_a_play_share_its_forks(playbooks: Playbooks, forks: int, hosts_of_a_role: int) -> None:
    servers, agents = SERVERS[:hosts_of_a_role], AGENTS[:hosts_of_a_role]
    seen = playbooks.play(
        {"east": {"agent": agents, "server": servers}, "west": WEST}, forks=forks, late=0.05, takes=1.0
    )
    assert seen.code == 0, str(seen)
    clusters = ([*servers, *agents], [*WEST["server"], *WEST["agent"]])
    # Each cluster prints its own plan, and which of them is the first is left to chance.
    assert sorted(seen.planned()) == sorted(clusters), str(seen)
    for hosts in clusters:
        assert seen.order_of(hosts) == hosts, str(seen)
    must_keep_the_limits(seen, servers, agents, 1)
    must_keep_the_limits(seen, WEST["server"], WEST["agent"], 1)
    if forks > 1:
        # With two forks, the second server of the one cluster waits for the first, and must not keep the other out.
        assert "ws-1" in seen.beside("s-1") | seen.beside("s-2"), str(seen)
        assert seen.order.index("wa-1") < seen.order.index("a-3"), str(seen)


@pytest.mark.nightly
@pytest.mark.parametrize(("strategy", "forks"), [("free", 1), ("host_pinned", 20)])
def test_strategies_without_an_order_keep_the_limits(playbooks: Playbooks, strategy: str, forks: int) -> None:
    seen = playbooks.play(
        {**ONE, "west": WEST},
        forks=forks,
        late=0.05,
        takes=0.1,
        keywords={"strategy": strategy},
        variables={"k3s_registries_agent_batch": "67%"},
    )
    assert seen.code == 0, str(seen)
    assert sorted(seen.order) == sorted([*SERVERS, *AGENTS, *WEST["server"], *WEST["agent"]]), str(seen)
    must_keep_the_limits(seen, SERVERS, AGENTS, 2)
    must_keep_the_limits(seen, WEST["server"], WEST["agent"], 1)


def test_a_strategy_without_an_order_shows_its_plan_once(playbooks: Playbooks) -> None:
    """The last host is staged long after the first has shown the plan."""
    seen = playbooks.play(
        {"east": {"server": ["s-1"], "agent": ["a-1", "a-2"]}},
        forks=20, later={"a-2": 0.7}, keywords={"strategy": "free"},
    )  # fmt: skip
    assert seen.code == 0, str(seen)
    assert sorted(seen.order) == ["a-1", "a-2", "s-1"], str(seen)
    assert seen.output.count("Rollout plan:") == 1, str(seen)


@pytest.mark.nightly
@pytest.mark.parametrize("strategy", ["linear", "host_pinned"])
def test_an_image_that_one_node_would_lose_stops_all(playbooks: Playbooks, strategy: str) -> None:
    """Whoever rehearses, the others wait for it; under linear it is the first server and the first agent."""
    loses = {host: ["r.test/app:1"] for host in (*SERVERS, *AGENTS)}
    seen = playbooks.play(ONE, forks=20, keywords={"strategy": strategy}, loses=loses, rehearses=0.5)
    assert (seen.code, seen.order) == (2, []), str(seen)
    assert re.search(r"^  lost: r\.test/app:1 on .*: Not there\.$", seen.output, re.M), str(seen)
    assert "6 left as they were" in seen.output, str(seen)
    if strategy == "linear":
        assert "Rehearsal on 2 nodes (a-1, s-1)" in seen.output, str(seen)
        assert seen.output.count("  lost: r.test/app:1 on 2 nodes (") == 1, str(seen)


@pytest.mark.nightly
def test_a_rescue_that_runs_the_role_again_leaves_the_fleet_alone(playbooks: Playbooks) -> None:
    """A node whose restart failed stops the rollout for the whole play: nobody has looked at it in between."""
    again = {"name": "The registries", "ansible.builtin.include_role": {"name": ROLE}}
    tasks: list[dict[str, Any]] = [{"name": "Whatever fails", "block": [again], "rescue": [again]}]
    seen = playbooks.play(ONE, forks=20, tasks=tasks, fails_once="s-1")
    assert seen.code != 0, str(seen)
    assert seen.order == ["s-1"], str(seen)
    left = seen.output.count("left as it was, untouched: the rollout stopped after s-1 failed")
    assert left >= len(SERVERS + AGENTS), str(seen)


@pytest.mark.nightly
def test_canary_serial_limit_and_an_order_of_the_play(playbooks: Playbooks) -> None:
    seen = playbooks.play(
        ONE,
        "--limit",
        "!s-2",
        keywords={"serial": [4, 10], "order": "reverse_inventory"},
        variables={"k3s_registries_canary": "a-3"},
        unreachable_while_staging=["a-2"],
    )
    # Four hosts, s-3 to a-2 with a-3 as the canary, then a-1 alone: the one batch is over before the next is staged.
    assert seen.order == ["a-3", "s-3", "s-1", "a-1"], str(seen)
    assert seen.planned() == [["a-3", "s-3", "s-1"], ["a-1"]], str(seen)
    assert "Rollout plan: 1 of 1 nodes restart" in seen.output


@pytest.mark.nightly
def test_live_changes_of_agents_wait_for_nobody(playbooks: Playbooks) -> None:
    live = {host: {"live": True} for host in [*AGENTS, "s-1", "s-2"]}
    seen = playbooks.play(ONE, forks=20, late=0.1, takes=1.0, staged=live)
    assert seen.code == 0, str(seen)
    assert seen.most_at_once(AGENTS) > 1, str(seen)
    assert seen.most_at_once(SERVERS) == 1, str(seen)
    assert seen.order_of(SERVERS) == SERVERS, str(seen)


@pytest.mark.nightly
def test_a_host_that_is_lost_in_the_middle_stops_the_rest(playbooks: Playbooks) -> None:
    seen = playbooks.play(ONE, forks=20, unreachable="s-2")
    assert seen.order == ["s-1", "s-2"], str(seen)
    for host in ["s-3", *AGENTS]:
        assert re.search(r"fatal: \[%s\]: FAILED! .*the rollout stopped after s-2 failed" % host, seen.output), str(
            seen
        )


@pytest.mark.nightly
def test_a_killed_worker_ends_the_run(playbooks: Playbooks) -> None:
    seen = playbooks.play(ONE, forks=20, kills_its_worker="s-2")
    assert seen.code != 0, str(seen)
    assert seen.order == ["s-1", "s-2"], str(seen)


@pytest.mark.nightly
def test_workers_that_outlive_their_controller_begin_nothing(playbooks: Playbooks) -> None:
    seen = playbooks.play(ONE, forks=20, kills_the_controller="s-1")
    assert seen.code == -9, str(seen)
    assert seen.order == ["s-1"], str(seen)


@pytest.mark.nightly
def test_a_host_that_never_comes_to_its_commit_is_not_waited_for(playbooks: Playbooks) -> None:
    """It fails between staging and commit, and the caller's rescue keeps it in the play."""
    tasks: list[dict[str, Any]] = [
        {
            "name": "Whatever fails",
            "block": [{"name": "The registries", "ansible.builtin.include_role": {"name": ROLE}}],
            "rescue": [{"name": "Go on", "ansible.builtin.debug": {"msg": "rescued"}}],
        }
    ]
    phase = "lookup('k3sfleet.registries.rollout_duty', 'phase', cluster=_k3s_registries_cluster)"
    mistake = {"_k3s_registries_phase": "{{ nothing_of_the_kind if inventory_hostname == 's-1' else %s }}" % phase}
    seen = playbooks.play(ONE, "--extra-vars", json.dumps(mistake), forks=20, tasks=tasks)
    assert seen.order == ["s-2", "s-3", *AGENTS], str(seen)
    assert "rescued" in seen.output


@pytest.mark.parametrize("strategy", mostly_nightly(["linear", "free"], "free"))
def test_mistakes_in_the_settings_stop_the_run_before_the_first_node(playbooks: Playbooks, strategy: str) -> None:
    seen = playbooks.play(
        {"east": {"server": ["s-1"], "agent": ["a-1"]}},
        late=0,
        keywords={"strategy": strategy},
        variables={"k3s_registries_canary": "agnet-1", "k3s_registries_agent_batch": "150%"},
    )
    assert seen.code == 2, str(seen)
    assert "k3s_registries_agent_batch: '150%' is neither a positive number of agents nor a percentage" in seen.output
    assert "k3s_registries_canary: the inventory has neither a host nor a group with the name 'agnet-1'" in seen.output
    assert "Stage the" not in seen.output


@pytest.mark.nightly
def test_too_few_forks_are_named_before_the_first_node(playbooks: Playbooks) -> None:
    seen = playbooks.play(ONE, "--check", forks=2, late=0, variables={"k3s_registries_agent_batch": "100%"})
    assert seen.code == 0, str(seen)
    # ansible-core 2.16 breaks warnings into lines.
    words = " ".join(seen.output.split())
    assert words.count("k3s_registries_agent_batch: 100% of the 3 agents in this play are 3 at once") == 1, str(seen)
    assert "only 2 forks, so no more than 2 will restart at once" in words, str(seen)
    assert words.index("only 2 forks") < words.index("Stage the configuration on all nodes")
    assert "agents, 2 at a time" in seen.output


def test_a_changed_node_prints_three_lines_and_the_run_ends_with_a_summary(playbooks: Playbooks) -> None:
    servers, agents = SERVERS, ["a-%d" % number for number in range(1, 4)]
    seen = playbooks.play(
        {"east": {"server": servers, "agent": agents}},
        forks=20,
        late=0.01,
        tasks=[{"name": "The registries", "ansible.builtin.import_role": {**ROLE_OF_OURS, "rolespec_validate": False}}],
        variables={"k3s_registries_agent_batch": "2"},
    )
    assert seen.code == 0, str(seen)
    assert seen.planned() == [[*servers, *agents]], str(seen)
    assert seen.order_of(servers) == servers == seen.order[:3], str(seen)
    must_keep_the_limits(seen, servers, agents, 2)
    lines = seen.output.splitlines()
    for host in (*servers, *agents):
        own = [line for line in lines if re.match(r"(changed: \[%s\]|\[\d/6\] %s )" % (host, host), line)]
        assert len(own) == 3, own
    # The first server and the first agent rehearse, and one host takes and releases the lease, and hands on what has
    # come of it, for all of them.
    others = [line for line in lines if re.match(r"\w+: \[", line) and not line.startswith("changed: [")]
    assert len(others) == 5, others
    assert len([line for line in lines if line.startswith("Summary of cluster ")]) == 1, str(seen)
    assert "6 nodes: 6 changed (6 restarted, 0 without a restart), 0 failed, 0 left as they were, " in seen.output
    assert "agents, 2 at a time: a-1, a-2, a-3\n" in seen.output
