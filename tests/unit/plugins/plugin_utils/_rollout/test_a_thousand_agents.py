# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout over a thousand agents and three servers, on a clock that jumps: limits, pauses, the end, the estimate."""

from __future__ import annotations

import hashlib
import time

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import plan, time_left
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.batches import Batches
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import ENDED, LEFT, STOPPED, Host
from simulated_fleet import Simulation, a_fleet

from tests.conftest import mostly_nightly

GROWING = Batches((1, 5, 100))


def takes(host: str) -> float:
    """A server 10 to 18 s, an agent 3 to 7 s, one of fifty 15 s more: it is rolled back, or its connection is lost."""
    chance = int(hashlib.sha256(host.encode("ascii")).hexdigest()[:8], 16) / 0xFFFFFFFF
    if host.startswith("server"):
        return 10 + 8 * chance
    return 3 + 4 * chance + (15 if host in SLOW else 0)


SLOW = frozenset("edge-%04d" % number for number in range(37, 1000, 50))


@pytest.fixture(scope="module")
def whole() -> Simulation:
    """All of it, with failures that are allowed, and forty nodes that could not be staged."""
    run = a_fleet(1000)
    for number in range(961, 1001):
        del run.hosts["edge-%04d" % number]
    return Simulation(
        run, takes, GROWING._replace(pause=30), forks=120, dispatch=0.05, max_failures=50, fails=SLOW
    ).play()


def test_the_batches_grow_and_never_more_than_one_is_in_flight(whole: Simulation) -> None:
    begun = whole.agents_begun()
    sizes = []
    while begun:
        [opened, _host] = begun[0]
        # All that began before the first that could only begin after a pause of 30 s.
        batch = [host for at, host in begun if at < opened + 30 and at - opened < 25]
        sizes.append(len(batch))
        ends = max(whole.ended[host] for host in batch)
        begun = begun[len(batch) :]
        assert not begun or begun[0][0] >= ends + 30, batch
    assert sizes[:3] == [1, 5, 100]
    assert sum(sizes) == 960
    assert whole.most == max(sizes) == 100


def test_a_pause_is_announced_between_batches_and_not_after_the_last(whole: Simulation) -> None:
    said = [line for _moment, line in whole.pauses]
    assert said[:2] == [
        "pause of 30 s before the next 5 agents (k3s_registries_batch_pause)",
        "pause of 30 s before the next 100 agents (k3s_registries_batch_pause)",
    ]
    # 1, 5, nine of 100, and the last 54.
    assert said[-1] == "pause of 30 s before the next 54 agents (k3s_registries_batch_pause)"
    assert len(said) == 11
    assert max(whole.ended.values()) > whole.pauses[-1][0]


def test_all_come_once_servers_first_and_the_failures_that_are_allowed_stop_nothing(whole: Simulation) -> None:
    assert sorted(whole.began) == sorted(whole.run.hosts)
    assert {host.progress for host in whole.run.hosts.values()} == {ENDED}
    assert set(whole.run.failed) == SLOW - {"edge-0987"}
    last_server = max(whole.ended["server-%d" % number] for number in (1, 2, 3))
    assert whole.agents_begun()[0][0] >= last_server


def must_estimate_well(simulation: Simulation) -> None:
    """In the second half of the run, up to its last 30 s, when a single node is all that is left."""
    began, end = min(simulation.began.values()), max(simulation.ended.values())
    told = [(left, end - at) for at, left in simulation.estimates if at > began + (end - began) / 2 and end - at > 30]
    assert len(told) > 5
    for left, really in told:
        assert abs(left - really) <= 0.25 * really, "%d s told, %d s taken" % (left, really)


def test_the_estimate_is_right(whole: Simulation) -> None:
    must_estimate_well(whole)


@pytest.mark.parametrize(
    ("batches", "forks", "dispatch"),
    mostly_nightly([
        (Batches((10,)), 50, 0.1),
        # Forks are fewer than the batch.
        (Batches((40,)), 10, 0.1),
        # Ansible begins fewer than could be in flight.
        (Batches((100,)), 120, 0.4),
        (Batches((1, 5, 40), pause=60), 60, 0.1),
        (Batches((40,), pause=60), 10, 0.2),
    ], (Batches((40,)), 10, 0.1)),
)  # fmt: skip
def test_the_estimate_is_right_whatever_counts(batches: Batches, forks: int, dispatch: float) -> None:
    simulation = Simulation(a_fleet(400), takes, batches, forks, dispatch, max_failures=50, estimate_every=5).play()
    assert len(simulation.ended) == 403
    assert simulation.most <= min(max(batches.sizes), forks)
    must_estimate_well(simulation)


def test_nothing_is_estimated_until_a_node_of_each_kind_was_seen() -> None:
    run = a_fleet(5)
    simulation = Simulation(run, takes, Batches((2,)), estimate_every=1).play()
    last_server = max(simulation.ended["server-%d" % number] for number in (1, 2, 3))
    first_agent = min(at for host, at in simulation.ended.items() if host.startswith("edge"))
    assert next(at for at, _left in simulation.estimates) == first_agent > last_server
    assert simulation.estimates[-1][1] == 0
    assert time_left.words(run, Batches((2,)), 50, simulation.now) == ""


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize(("allowed", "failed"), [(0, 1), (2, 3)])
def test_failures_stop_the_rest_in_the_middle_of_a_batch(in_order: bool, allowed: int, failed: int) -> None:
    fails = frozenset("edge-%04d" % number for number in (3, 20, 21, 150))
    simulation = Simulation(
        a_fleet(200), lambda _host: 5.0, Batches((1, 5, 20)), 30, 0.1, allowed, fails, in_order=in_order
    ).play()
    assert len(simulation.run.failed) >= failed
    assert len(simulation.run.failed) - failed < 20
    left = [name for name, host in simulation.run.hosts.items() if host.progress == LEFT]
    assert left
    assert set(left) == set(simulation.run.hosts) - set(simulation.began)
    third = sorted(simulation.ended[host] for host in simulation.run.failed)[allowed]
    assert max(simulation.began.values()) <= third


@pytest.mark.parametrize("forks", [3, 20])
def test_without_an_order_a_growing_batch_keeps_its_size(forks: int) -> None:
    simulation = Simulation(a_fleet(100), takes, Batches((1, 5, 10)), forks, 0.01, 50, in_order=False).play()
    assert len(simulation.ended) == 103
    [(_at, first), (second_began, _second)] = simulation.agents_begun()[:2]
    assert second_began >= simulation.ended[first]
    assert simulation.most == min(10, forks)


@pytest.mark.parametrize("stop", mostly_nightly(["300", "time of day"], "time of day"))
def test_after_its_time_no_node_is_begun_and_the_next_run_takes_those_that_are_left(stop: str) -> None:
    run, began = a_fleet(1000), 1_000_000.0
    if stop == "time of day":
        stop = time.strftime("%H:%M", time.localtime(began + 330))
    simulation = Simulation(run, takes, Batches((10,)), 20, 0.1, 50, stop=stop, now=began).play()
    over = run.pace.stop_at
    assert began + 240 <= over <= began + 330
    assert max(simulation.began.values()) < over
    # What has begun is finished.
    assert set(simulation.ended) == set(simulation.began)
    left = [name for name, host in run.hosts.items() if host.progress == STOPPED]
    assert len(left) > 100
    assert set(left) == set(run.hosts) - set(simulation.began)
    assert plan.to_come(run) == []

    again = a_fleet(1000)
    for name in again.hosts:
        again.hosts[name] = Host(role=run.hosts[name].role, ready=True, restart=name in left)
    second = Simulation(again, takes, Batches((10,)), 20, 0.1, 50).play()
    assert list(second.began) == left
    assert all(again.hosts[name].progress == ENDED for name in left)


def test_live_changes_are_not_begun_either_after_a_time_of_day() -> None:
    run = a_fleet(3)
    for host in run.hosts.values():
        host.live = True
    stop = time.strftime("%H:%M", time.localtime(1_000_000.0 + 90))
    simulation = Simulation(run, lambda _host: 100.0, forks=1, stop=stop).play()
    assert list(simulation.began) == ["server-1"]


def test_the_plan_says_which_number_counts_and_how_long_it_takes() -> None:
    run = a_fleet(1000)
    assert time_left.plan_lines(run, Batches((100,)), 5, 0.0) == [
        "takes about 17 min if a server needs 15 s and an agent 5 s, without pulling canary images; the lines of the "
        "run say how long it takes here",
        "Ansible's 5 forks count, not the 100 agents of k3s_registries_agent_batch: with --forks 100 it takes about "
        "2 min",
    ]
    [line] = time_left.plan_lines(run, Batches((100,), pause=600), 100, 0.0)
    # Nine pauses of ten minutes.
    assert line.startswith("takes about 92 min ") or line.startswith("takes about 1 h 32 min ")


def test_the_progress_line_says_what_is_left_and_that_the_run_stops_before() -> None:
    run = a_fleet(100)
    simulation = Simulation(run, lambda _host: 6.0, Batches((10,)), 20, now=1_000_000.0)
    for host in ("server-1", "server-2", "server-3"):
        run.hosts[host].progress = ENDED
    run.pace.took = {"agent": [6.0]}
    now = simulation.now
    assert time_left.words(run, simulation.batches, 20, now) == "about 60 s left"
    run.pace.stop_at = now + 30
    said = time_left.words(run, simulation.batches, 20, now)
    assert said == "about 60 s left, no node begins after " + time.strftime("%H:%M:%S", time.localtime(now + 30))
