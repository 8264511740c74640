# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches that grow, the pause between them and the end of beginning, in real runs of ansible-playbook."""

from __future__ import annotations

import re

import pytest
from playbook import Playbooks, Seen, collection

AGENTS = ["a-1", "a-2", "a-3", "a-4", "a-5"]
SERVERS = ["s-1", "s-2", "s-3"]


@pytest.fixture(scope="module")
def playbooks(tmp_path_factory: pytest.TempPathFactory) -> Playbooks:
    folder = tmp_path_factory.mktemp("batches")
    collection(folder / "collections")
    return Playbooks(folder, 7)


def spans(seen: Seen) -> dict[str, tuple[float, float]]:
    return {host: (began, ended) for host, began, ended in seen.commits}


@pytest.mark.parametrize(
    ("strategy", "batch"),
    [("linear", [1, 2]), pytest.param("host_pinned", "1, 2", marks=pytest.mark.nightly)],
)
def test_batches_grow_with_a_pause_during_which_the_lease_is_renewed(
    playbooks: Playbooks, strategy: str, batch: object
) -> None:
    seen = playbooks.play(
        {"east": {"server": ["s-1"], "agent": AGENTS}},
        forks=6,
        late=0.01,
        takes=0.3,
        keywords={"strategy": strategy},
        variables={"k3s_registries_agent_batch": batch, "k3s_registries_batch_pause": 3},
        renews_every=1,
    )
    assert seen.code == 0, str(seen)
    of = spans(seen)
    order = seen.order_of(AGENTS)
    assert len(order) == 5, str(seen)
    if strategy == "linear":
        assert sorted(order[1:3]) == ["a-2", "a-3"], str(seen)
    batches = [order[:1], order[1:3], order[3:]]
    for before, after in zip(batches, batches[1:]):
        ended, begins = max(of[host][1] for host in before), min(of[host][0] for host in after)
        # The clocks of two processes: the end is noted a moment after it was logged.
        assert begins - ended >= 3, str(seen)
        assert [at for at in seen.renewals if ended < at < begins], str(seen)
    assert seen.most_at_once(AGENTS) <= 2, str(seen)
    said = re.findall(r"\[\d/6\] pause of 3 s before the next 2 agents \(k3s_registries_batch_pause\)", seen.output)
    assert len(said) == 2, str(seen)
    assert "agents, 1, then 2 at a time, 3 s between batches: " in seen.output, str(seen)
    assert re.search(r"  takes about \d+ s if a server needs 15 s and an agent 5 s", seen.output), str(seen)
    # Once an agent was seen, the lines of all that are not the last say how long the rest takes.
    assert re.search(r"a-1 restarted and healthy after .*, about \d+ s left\n", seen.output), str(seen)


@pytest.mark.nightly
def test_after_its_time_the_run_begins_no_node_and_the_next_run_continues(playbooks: Playbooks) -> None:
    fleet = {"east": {"server": SERVERS, "agent": AGENTS[:2]}}
    first = playbooks.play(
        fleet, forks=6, late=0.01, takes=4.0, variables={"k3s_registries_stop_after": "5"}
    )  # fmt: skip
    # A server takes 4 s: the third would begin after 8.
    assert first.code == 2, str(first)
    assert first.order == ["s-1", "s-2"], str(first)
    assert "no node begins later than 5 s after the first restart (k3s_registries_stop_after)" in first.output
    assert "5 nodes: 2 changed (2 restarted, 0 without a restart), 0 failed, 0 left as they were, 3 stopped, " in (
        first.output
    )
    assert re.search(r"  stopped: .* \(no node was begun after \d\d:\d\d:\d\d; run the playbook again", first.output)
    assert re.search(r"fatal: \[s-3\]: FAILED! .*Run the playbook again to continue with this node", first.output)
    done = {host: {"restart": False, "changed": False} for host in first.order}
    second = playbooks.play(fleet, forks=6, late=0.01, staged=done)
    assert second.code == 0, str(second)
    assert second.order == ["s-3", "a-1", "a-2"], str(second)


@pytest.mark.nightly
def test_what_is_no_batch_pause_or_time_stops_the_run_before_the_first_node(playbooks: Playbooks) -> None:
    seen = playbooks.play(
        {"east": {"server": ["s-1"], "agent": ["a-1"]}},
        late=0,
        variables={
            "k3s_registries_agent_batch": [1, "many"],
            "k3s_registries_batch_pause": -1,
            "k3s_registries_stop_after": "25:00",
        },
    )
    assert (seen.code, seen.order) == (2, []), str(seen)
    for sentence in (
        "k3s_registries_batch_pause is -1: it must be from 0 to 86400 seconds",
        "k3s_registries_stop_after: '25:00' is neither a number of seconds from 1 to 604800 nor a time of day such as",
    ):
        assert sentence in seen.output, str(seen)
    assert "Stage the" not in seen.output
    seen = playbooks.play(
        {"east": {"server": ["s-1"], "agent": ["a-1"]}}, late=0, variables={"k3s_registries_agent_batch": [1, "many"]}
    )
    assert "k3s_registries_agent_batch: 'many' is neither a positive number of agents nor a percentage" in seen.output
    assert (seen.code, seen.order) == (2, []), str(seen)
