# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What real runs of ansible-playbook hand on, and with which exit code they end: docs/results.md has the table."""

from __future__ import annotations

import os
import random
import re
from typing import Any

import pytest
from ansible import release
from playbook import Playbooks, Seen, collection

from tests.conftest import mostly_nightly

CLUSTER = {"east": {"server": ["s-1"], "agent": ["a-1", "a-2"]}}
UNCHANGED = {"changed": False, "restart": False}


@pytest.fixture(scope="module")
def playbooks(tmp_path_factory: pytest.TempPathFactory) -> Playbooks:
    folder = tmp_path_factory.mktemp("outcomes")
    collection(folder / "collections")
    return Playbooks(folder, int(os.environ.get("ROLLOUT_SEED") or random.SystemRandom().randrange(10**6)))


def found(seen: Seen) -> tuple[int, str, dict[str, list[str]]]:
    """The exit code, the outcome and the hosts of each."""
    result = seen.handed_on["k3s_registries_rollout_result"]
    assert result["nodes"] == {outcome: len(hosts) for outcome, hosts in result["hosts"].items()}, str(seen)
    return seen.code, result["outcome"], {outcome: sorted(hosts) for outcome, hosts in result["hosts"].items()}


CASES = {
    "unchanged": ({"staged": dict.fromkeys(["s-1", "a-1", "a-2"], UNCHANGED)},
                  (0, "unchanged", {"unchanged": ["a-1", "a-2", "s-1"]})),
    "changed": ({"staged": {"s-1": UNCHANGED}},
                (0, "changed", {"changed": ["a-1", "a-2"], "unchanged": ["s-1"]})),
    "failed, and the rest is stopped": ({"fails": "a-1"},
                                        (2, "failed", {"failed": ["a-1"], "stopped": ["a-2"], "changed": ["s-1"]})),
    "failed while it was staged": ({"staged": {"a-1": {"failed": True, "changed": False, "msg": "no space left"}}},
                                   (2, "failed", {"failed": ["a-1"], "stopped": ["a-2", "s-1"]})),
    "refused by the variables": ({"variables": {"k3s_registries_agent_batch": "150%"}},
                                 (2, "refused", {"refused": ["a-1", "a-2", "s-1"]})),
    "refused by the rehearsal": ({"loses": {"s-1": ["r.test/app:1"]}},
                                 (2, "refused", {"refused": ["a-1", "a-2", "s-1"]})),
    "unreachable while it is staged": ({"unreachable_while_staging": ["a-1"]},
                                       (4, "unreachable",
                                        {"unreachable": ["a-1"], "changed": ["a-2", "s-1"]})),
    "unreachable in its commit": ({"unreachable": "a-1"},
                                  (4, "unreachable", {"unreachable": ["a-1"], "stopped": ["a-2"], "changed": ["s-1"]})),
    "stopped": ({"variables": {"k3s_registries_stop_after": "1"}, "takes": 1.5},
                (2, "stopped", {"stopped": ["a-1", "a-2"], "changed": ["s-1"]})),
}  # fmt: skip


#: One for each exit code.
ALWAYS = ("changed", "failed, and the rest is stopped", "unreachable in its commit")


@pytest.mark.parametrize("name", mostly_nightly(CASES, *ALWAYS))
def test_what_has_come_of_each_host_and_the_exit_code(playbooks: Playbooks, name: str) -> None:
    scenario, wanted = CASES[name]
    seen = playbooks.play(CLUSTER, late=0.0, **scenario)
    assert found(seen) == wanted, str(seen)


@pytest.mark.parametrize("keywords", mostly_nightly([{"strategy": "free"}, {"serial": 1}]))
def test_whatever_the_play_in_the_end_all_hosts_are_told_of(playbooks: Playbooks, keywords: dict[str, Any]) -> None:
    seen = playbooks.play(CLUSTER, late=0.0, keywords=keywords)
    assert found(seen) == (0, "changed", {"changed": ["a-1", "a-2", "s-1"]}), str(seen)


@pytest.mark.nightly
def test_two_clusters_of_one_play_are_told_of_together(playbooks: Playbooks) -> None:
    west = {"server": ["ws-1"], "agent": ["wa-1"]}
    seen = playbooks.play({**CLUSTER, "west": west}, forks=9, late=0.0, fails="wa-1")
    assert found(seen) == (2, "failed", {"failed": ["wa-1"], "changed": ["a-1", "a-2", "s-1", "ws-1"]}), str(seen)


@pytest.mark.nightly
def test_in_check_mode_it_is_what_would_change(playbooks: Playbooks) -> None:
    seen = playbooks.play(CLUSTER, "--check", late=0.0, staged={"s-1": UNCHANGED})
    assert found(seen) == (0, "changed", {"changed": ["a-1", "a-2"], "unchanged": ["s-1"]}), str(seen)


@pytest.mark.nightly
def test_if_nothing_restarts_and_one_is_lost_it_is_told(playbooks: Playbooks) -> None:
    seen = playbooks.play(
        CLUSTER, late=0.0, staged=dict.fromkeys(["s-1", "a-1"], UNCHANGED), unreachable_while_staging=["a-2"]
    )
    assert found(seen) == (4, "unreachable", {"unreachable": ["a-2"], "unchanged": ["a-1", "s-1"]}), str(seen)


AFTER_STAGING = {
    "nothing": ({"staged": dict.fromkeys(["s-1", "a-1", "a-2"], UNCHANGED)}, {"nothing": 1}),
    "one of them restarts": ({"staged": dict.fromkeys(["s-1", "a-1"], UNCHANGED)}, {"nothing": 2, "rollout": 1}),
    "one is lost": ({"staged": dict.fromkeys(["s-1", "a-1"], UNCHANGED), "unreachable_while_staging": ["a-2"]},
                    {"hand_on": 2}),
    "all are verified": ({"staged": dict.fromkeys(["s-1", "a-1"], UNCHANGED),
                          "variables": {"k3s_registries_verify": True}},
                         {"after_staging": 3, "nothing": 2, "rollout": 1}),
    "each runs on by itself": ({"staged": dict.fromkeys(["s-1", "a-1", "a-2"], UNCHANGED),
                                "keywords": {"strategy": "free"}}, {"nothing": 3}),
}  # fmt: skip


@pytest.mark.parametrize("name", mostly_nightly(AFTER_STAGING, "nothing", "all are verified"))
def test_with_nothing_left_to_do_one_host_is_asked_for_all(playbooks: Playbooks, name: str) -> None:
    """How many hosts have included which file after staging."""
    scenario, wanted = AFTER_STAGING[name]
    seen = playbooks.play(CLUSTER, late=0.0, **scenario)
    hosts: dict[str, int] = {}
    for task in seen.output.split("\nTASK [")[1:]:
        if re.match(r"[^]]* : Roll out( and verify, if needed)?\]", task):
            for file, names in re.findall(r"^included: \S+/(\w+)\.yml for (.+)$", task, re.MULTILINE):
                hosts[file] = hosts.get(file, 0) + len(names.split(", "))
    if "nothing" in wanted and "nothing" not in hosts:
        # ansible-core 2.16 says nothing of an include that has no task.
        assert release.__version__.startswith("2.16."), str(seen)
        wanted = {file: number for file, number in wanted.items() if file != "nothing"}
    assert hosts == wanted, str(seen)
    assert seen.handed_on["k3s_registries_rollout_result"]["nodes"].keys() <= {"unchanged", "changed", "unreachable"}
    assert "run_once" not in seen.output
    assert ("Show nodes by endpoints" in seen.output) == ("after_staging" in wanted), str(seen)
