# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose turn it is: the order, how many at once, when it stops; and that nobody ever waits in vain."""

from __future__ import annotations

import random

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import plan, restart_order_and_limits
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.batches import Batches
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import (
    COMMITTING,
    ENDED,
    LEFT,
    STAGED,
    WAITING,
    Host,
    Lease,
    Run,
)
from strategies import Simulation

HOSTS = ["agent-1", "server-1", "agent-2", "server-2", "agent-3"]
GO = restart_order_and_limits.Turn(True)


def a_run(*hosts: str, prefix: str = "", **more: Host) -> Run:
    """A run that has its lease, with hosts that all have asked for it, in this order of the play."""
    names = [prefix + host for host in hosts or HOSTS]
    made = {name: Host(role="server" if "server" in name else "agent", ready=True) for name in names}
    return Run(hosts={**made, **more}, order=[*names, *more], lease=Lease(held=True))


def asking(host: str, in_order: bool = True, **more: object) -> restart_order_and_limits.Asking:
    return restart_order_and_limits.Asking(host, HOSTS, in_order, **more)  # type: ignore[arg-type]


def mixed(seed: int) -> tuple[dict[str, Run], list[tuple[str, str]]]:
    """One to three clusters of up to four servers and six agents, some live, some the canary, some with nothing to do,
    shuffled or one after the other in the play."""
    chance = random.Random(seed)
    clusters, play = {}, []
    for number in range(chance.randint(1, 3)):
        names = ["%d-server-%d" % (number, each) for each in range(chance.randint(0, 4))]
        names += ["%d-agent-%d" % (number, each) for each in range(chance.randint(1, 6))]
        chance.shuffle(names)
        run = a_run(*names)
        for host in run.hosts.values():
            host.live = chance.random() < 0.2
            host.restart = chance.random() < 0.8
        run.canary = chance.sample(names, chance.choice([0, 0, 1, 2][: len(names) + 1]))
        clusters[str(number)] = run
        play += [(str(number), name) for name in names]
    if chance.random() < 0.5:
        chance.shuffle(play)
    for name, run in clusters.items():
        run.order = [host for cluster, host in play if cluster == name]
    return clusters, play


@pytest.mark.parametrize("forks", [1, 2, 5, 20])
def test_under_linear_the_order_is_that_of_the_plan_whatever_is_late(forks: int) -> None:
    for seed in range(300):
        clusters, play = mixed(seed)
        plans = {name: plan.order(run) for name, run in clusters.items()}
        simulation = Simulation(clusters, play, forks, seed, batches=Batches((1 + seed % 3,)))
        simulation.linear()
        for name, run in clusters.items():
            waits = [host for host in plans[name] if (plan.phase(run, host), run.hosts[host].role) != ("live", "agent")]
            assert [host for host in simulation.began if host in waits] == waits, seed
            assert {host for host in simulation.began if host in run.hosts} == set(plans[name]), seed


@pytest.mark.parametrize("forks", [1, 2, 5, 20])
def test_without_an_order_all_come_and_none_beside_whom_it_must_not_be(forks: int) -> None:
    for seed in range(300):
        clusters, play = mixed(seed)
        taking_part = [(name, host) for name, host in play if clusters[name].hosts[host].restart]
        simulation = Simulation(clusters, taking_part, forks, seed)
        simulation.free()
        assert sorted(simulation.began) == sorted(host for run in clusters.values() for host in plan.order(run)), seed


@pytest.mark.parametrize("forks", [1, 2, 20])
def test_after_a_failure_those_that_have_not_begun_are_left(forks: int) -> None:
    for seed in range(100):
        run = a_run()
        fails = frozenset(["server-2"])
        simulation = Simulation({"c": run}, [("c", host) for host in HOSTS], forks, seed, fails=fails)
        simulation.linear()
        assert simulation.began == ["server-1", "server-2"], seed
        assert [run.hosts[host].progress for host in ("agent-1", "agent-2", "agent-3")] == [LEFT] * 3, seed


def test_a_cluster_with_nothing_to_do_gets_a_fork_that_another_only_waits_in() -> None:
    """Two forks, and the play has one cluster after the other: both go on side by side."""
    for seed in range(100):
        names = ["server-%d" % number for number in range(1, 7)]
        clusters = {"e": a_run(*names, prefix="e-"), "w": a_run(*names, prefix="w-")}
        play = [(name, host) for name, run in clusters.items() for host in run.hosts]
        simulation = Simulation(clusters, play, 2, seed, slowness=30)
        simulation.linear()
        for number in range(1, 6):
            # As many of the one as of the other, give or take what one round has of each.
            assert simulation.began.index("w-server-%d" % number) < 2 * number + 3, (seed, simulation.began)


def test_a_host_waits_for_those_that_ansible_has_begun_before_it() -> None:
    run = a_run()
    assert restart_order_and_limits.decide(run, asking("server-2")) is None
    assert restart_order_and_limits.decide(run, asking("server-1")) == GO
    # Agents come in a later task, first in the play or not.
    run.hosts["server-1"].progress = run.hosts["server-2"].progress = ENDED
    assert restart_order_and_limits.decide(run, asking("agent-1")) == GO


@pytest.mark.parametrize("why", ["unreachable", "never asked for the lease", "left", "no order", "nothing to do"])
def test_a_host_that_is_not_certain_to_come_is_not_waited_for(why: str) -> None:
    run = a_run()
    batch = HOSTS
    if why == "unreachable":
        batch = [host for host in HOSTS if host != "server-1"]
    elif why == "never asked for the lease":
        run.hosts["server-1"].ready = False
    elif why == "left":
        run.hosts["server-1"].progress = LEFT
    elif why == "nothing to do":
        run.hosts["server-1"].restart = False
    assert (
        restart_order_and_limits.decide(
            run, restart_order_and_limits.Asking("server-2", batch, in_order=why != "no order")
        )
        == GO
    )


def test_whoever_waits_goes_first_by_the_plan_where_ansible_gives_no_order() -> None:
    run = a_run()
    for host in ("agent-2", "server-2", "agent-1"):
        run.hosts[host].progress = WAITING
    said = {
        host: restart_order_and_limits.decide(run, asking(host, in_order=False))
        for host in ("agent-2", "server-2", "agent-1")
    }
    assert said == {"agent-2": None, "server-2": GO, "agent-1": None}


@pytest.mark.parametrize(
    ("at_work", "host", "goes"),
    [
        ("server-1", "server-2", False),
        ("server-1", "agent-1", False),
        ("agent-1", "server-1", False),
        ("agent-1", "agent-2", True),
    ],
)
def test_servers_restart_alone_and_agents_in_their_number(at_work: str, host: str, goes: bool) -> None:
    run = a_run()
    run.hosts[at_work].progress = COMMITTING
    assert (restart_order_and_limits.decide(run, asking(host, in_order=False, batches=Batches((2,)))) == GO) is goes
    if goes:
        assert restart_order_and_limits.decide(run, asking(host, in_order=False, batches=Batches((1,)))) is None


def test_the_canary_goes_alone_even_if_it_is_an_agent() -> None:
    run = a_run()
    run.canary = ["agent-3", "agent-1"]
    run.hosts["agent-1"].progress = COMMITTING
    assert restart_order_and_limits.decide(run, asking("agent-3", batches=Batches((5,)))) is None
    assert restart_order_and_limits.decide(run, asking("agent-2", in_order=False, batches=Batches((5,)))) is None


def test_a_server_that_changes_live_takes_its_turn_and_an_agent_does_not() -> None:
    run = a_run()
    for host in run.hosts.values():
        host.live = True
    run.hosts["server-1"].progress = COMMITTING
    assert restart_order_and_limits.decide(run, asking("server-2")) is None
    assert restart_order_and_limits.decide(run, asking("agent-1")) == GO


def test_without_the_lease_nobody_goes() -> None:
    run = a_run()
    run.lease = Lease()
    turn = restart_order_and_limits.decide(run, asking("server-1"))
    assert turn is not None
    assert not turn.go
    assert "k3s_rollout_lease" in turn.why
    run.lease.without = True
    assert restart_order_and_limits.decide(run, asking("server-1")) == GO


@pytest.mark.parametrize(("failures", "allowed", "go"), [(0, 0, True), (1, 0, False), (1, 1, True), (2, 1, False)])
def test_more_than_max_failures_leaves_the_rest_untouched(failures: int, allowed: int, go: bool) -> None:
    run = a_run()
    run.failed = {"node-%d" % number: "why" for number in range(failures)}
    why = restart_order_and_limits.stopped(run, allowed, force=False)
    assert (why == "") is go
    if not go:
        assert "untouched" in why
        assert "node-0" in why


def test_an_ill_node_stops_the_rollout_before_the_first_restart() -> None:
    run = a_run()
    run.hosts["agent-3"].ill = "containerd does not answer"
    why = restart_order_and_limits.stopped(run, 0, force=False)
    assert "agent-3: containerd does not answer" in why
    assert "k3s_registries_force" in why
    assert restart_order_and_limits.stopped(run, 0, force=True) == ""


def test_an_illness_that_the_pending_change_explains_does_not() -> None:
    run = a_run()
    run.hosts["agent-3"].ill, run.hosts["agent-3"].explained = "x", True
    assert restart_order_and_limits.stopped(run, 0, force=False) == ""


@pytest.mark.parametrize(("hanging", "go"), [(0, False), (1, False), (2, True), (3, True)])
def test_where_most_servers_hang_they_explain_what_is_wrong_with_the_others(hanging: int, go: bool) -> None:
    """No API, no node that is well: the run that repairs the servers repairs the whole fleet."""
    run = a_run("server-1", "server-2", "server-3", "agent-1")
    servers = [run.hosts["server-%d" % number] for number in (1, 2, 3)]
    for host in servers[:hanging]:
        host.ill, host.explained, host.member = "containerd does not answer", True, "m"
    for host in [*servers[hanging:], run.hosts["agent-1"]]:
        host.ill = "the API does not say that it is ready (/readyz)"
    assert (restart_order_and_limits.stopped(run, 0, force=False) == "") is go
    assert restart_order_and_limits.api_may_be_away(run) is go


def test_one_server_that_hangs_explains_all() -> None:
    run = a_run("server-1", "agent-1")
    run.hosts["server-1"].ill, run.hosts["server-1"].explained = "containerd does not answer", True
    run.hosts["agent-1"].ill = "the API does not say that it is ready (/readyz)"
    assert restart_order_and_limits.stopped(run, 0, force=False) == ""


def test_servers_that_hang_come_before_a_canary_that_needs_them() -> None:
    run = a_run("agent-1", "server-1", "server-2", "server-3")
    run.canary = ["agent-1", "server-2"]
    assert plan.order(run) == ["agent-1", "server-2", "server-1", "server-3"]
    for name in ("server-1", "server-2", "server-3"):
        run.hosts[name] = Host(role="server", ill="containerd does not answer", explained=True, member=name)
    assert plan.order(run) == ["server-2", "server-1", "server-3", "agent-1"]


def test_a_refused_configuration_anywhere_restarts_nothing() -> None:
    run = a_run()
    run.refused = ["agent-2"]
    why = restart_order_and_limits.stopped(run, 5, force=True)
    assert "agent-2" in why
    assert "untouched" in why


def two_clusters() -> tuple[Run, Run, restart_order_and_limits.Asking]:
    """One with a server at work and two that wait, which is all of three forks; one that has not begun; and the last of
    those that wait, as it asks."""
    names = ["server-1", "server-2", "server-3", "server-4"]
    busy, idle = a_run(*names, prefix="e-"), a_run(*names, "agent-1", prefix="w-")
    busy.hosts["e-server-1"].progress = COMMITTING
    busy.hosts["e-server-2"].progress = busy.hosts["e-server-3"].progress = WAITING
    batch = [*busy.hosts, *idle.hosts]
    return busy, idle, restart_order_and_limits.Asking("e-server-3", batch, in_order=True, makes_way=True, forks=3)


def test_the_last_that_waits_makes_way_for_a_cluster_that_has_nothing_to_do() -> None:
    busy, idle, last = two_clusters()
    assert restart_order_and_limits.decide(busy, last, [idle]) == restart_order_and_limits.Turn(False, later=True)
    assert restart_order_and_limits.decide(busy, last._replace(host="e-server-2"), [idle]) is None


@pytest.mark.parametrize(
    "why",
    [
        "a fork is free",
        "at work",
        "waiting",
        "other phase",
        "stopped",
        "nobody left",
        "no order",
        "asked not to",
        "did not come in the round before",
    ],
)
def test_nobody_makes_way_in_vain(why: str) -> None:
    busy, idle, last = two_clusters()
    if why == "a fork is free":
        last = last._replace(forks=4)
    elif why == "at work":
        idle.hosts["w-server-1"].progress, last = COMMITTING, last._replace(forks=4)
    elif why == "waiting":
        idle.hosts["w-server-1"].progress, last = WAITING, last._replace(forks=4)
    elif why == "other phase":
        for number in range(1, 5):
            idle.hosts["w-server-%d" % number].progress = ENDED
    elif why == "stopped":
        idle.failed["w-agent-1"] = "it failed"
    elif why == "nobody left":
        last = last._replace(batch=list(busy.hosts))
    elif why == "no order":
        last = last._replace(in_order=False)
    elif why == "did not come in the round before":
        for host in busy.hosts.values():
            host.made_way = 1
    else:
        last = last._replace(makes_way=False)
    assert restart_order_and_limits.decide(busy, last, [idle]) is None


def test_those_after_a_host_that_made_way_come_with_it_in_the_next_round() -> None:
    busy, idle, _last = two_clusters()
    busy.hosts["e-server-3"].progress, busy.hosts["e-server-3"].made_way = STAGED, 1
    asks = restart_order_and_limits.Asking("e-server-4", [*busy.hosts], in_order=True, makes_way=True, forks=9)
    assert restart_order_and_limits.decide(busy, asks, [idle]) == restart_order_and_limits.Turn(False, later=True)
    busy.hosts["e-server-4"].made_way = 1
    assert restart_order_and_limits.decide(busy, asks, []) is None


def test_a_round_ends_soon_if_a_cluster_can_go_on_only_in_the_next() -> None:
    busy, idle, last = two_clusters()
    for host in idle.hosts.values():
        host.made_way = 1
    assert restart_order_and_limits.decide(busy, last._replace(forks=9), [idle]) == restart_order_and_limits.Turn(
        False, later=True
    )


def test_rounds_have_an_end() -> None:
    busy, idle, last = two_clusters()
    for host in [*busy.hosts.values(), *idle.hosts.values()]:
        host.made_way = 30
    assert restart_order_and_limits.decide(busy, last, [idle]) is None


def test_hosts_of_an_earlier_phase_are_not_waited_for() -> None:
    """A canary that never came to its commit, for whatever reason, has no task any more."""
    run = a_run()
    run.canary = ["agent-1"]
    assert restart_order_and_limits.decide(run, asking("server-1")) == GO
