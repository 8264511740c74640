# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan, refusals and summary of a thousand nodes are a few lines each."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import (
    plan,
    restart_order_and_limits,
    summary,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import ENDED, LEFT, STOPPED
from simulated_fleet import a_fleet


def test_the_plan_says_each_reason_once_and_counts_those_that_are_too_many() -> None:
    run = a_fleet(1000)
    for number, host in enumerate(run.hosts.values()):
        host.reasons = ["it is new"] if number < 900 else ["own reason %d" % number]
    lines = plan.plan_lines(run, "100 at a time")
    assert len(lines) < 30
    assert "  because on server-1, server-2 and 898 more: it is new" in lines
    assert lines[-1].endswith(" and 82 more: 84 other reasons; the result of each has its own, as reasons")


def test_what_stops_the_rollout_does_not_list_a_fleet_for_each_of_its_hosts() -> None:
    run = a_fleet(1000)
    for host in run.hosts.values():
        host.ill = "containerd does not answer"
    said = restart_order_and_limits.halted(run, 0, force=False)
    assert len(said) < 700
    assert "; and 995 more nodes)" in said
    run.failed = dict.fromkeys(run.hosts, "why")
    assert "stopped after edge-0001, edge-0002 and 1001 more failed" in restart_order_and_limits.halted(run, 5, False)


def test_the_summary_names_or_counts_all_that_are_not_well() -> None:
    run = a_fleet(1000)
    names = list(run.hosts)
    run.arrived = dict.fromkeys(names, "running")
    for number, name in enumerate(names):
        run.hosts[name].progress = ENDED if number < 400 else LEFT if number < 402 else STOPPED
    run.failed = dict.fromkeys(names[5:35], "why")
    run.pace.stop_at = 1.0
    play = {"ansible_play_hosts": names, "groups": {"server": names[:3], "agent": names[3:]}}
    lines = summary.lines(run, "server/agent", play)
    assert len(lines) == 4
    assert "30 failed, 2 left as they were, 601 stopped, " in lines[0]
    assert lines[1] == "  failed: edge-0003, edge-0004 and 28 more"
    assert lines[2] == "  left as they were: edge-0398, edge-0399"
    assert lines[3].startswith("  stopped: edge-0400, edge-0401 and 599 more (no node was begun after ")
    assert lines[3].endswith("; run the playbook again to continue)")
