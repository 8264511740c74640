# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's strategies in small: a rollout over clusters that share forks, with pauses at random between all steps.

Nothing runs and nobody waits: whatever could happen next is done in an order that a seed decides, thousands of orders
in the time of one real run.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import plan, restart_order_and_limits
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.batches import Batches
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import (
    COMMITTING,
    ENDED,
    LEFT,
    STAGED,
    WAITING,
    Run,
)

_TOO_MANY_STEPS = 20_000


class Stuck(AssertionError):
    """Nothing can happen any more, and hosts are left."""


@dataclass
class Simulation:
    """``clusters`` by name; ``play`` has their hosts, as cluster and host, in the order of the play.

    ``fails`` are hosts whose commit fails. While one commit lasts, each other host does ``slowness`` steps on average.
    """

    clusters: dict[str, Run]
    play: list[tuple[str, str]]
    forks: int
    seed: int
    batches: Batches = field(default_factory=Batches)
    max_failures: int = 0
    fails: frozenset[str] = frozenset()
    slowness: int = 1
    began: list[str] = field(default_factory=list)
    at_work: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.in_forks: list[tuple[str, str]] = []
        self.again: list[tuple[str, str]] = []

    def linear(self) -> None:
        """Phase by phase; each task on its hosts in the order of the play, repeated for those that made way."""
        for phase in plan.PHASES:
            hosts = [(name, host) for name, host in self.play if self._has(name, host, phase)]
            while hosts:
                self.again = []
                self._drain(hosts, in_order=True)
                hosts = [each for each in hosts if each in self.again]

    def free(self) -> None:
        """Hosts come as they like, and take a fork when one is free."""
        self._drain(self.random.sample(self.play, len(self.play)), in_order=False)

    def _has(self, name: str, host: str, phase: str) -> bool:
        run = self.clusters[name]
        return run.hosts[host].restart and plan.phase(run, host) == phase

    def _drain(self, hosts: list[tuple[str, str]], in_order: bool) -> None:
        queue = list(hosts)
        for _step in range(_TOO_MANY_STEPS):
            can = [("dispatch", queue[0])] if queue and len(self.in_forks) < self.forks else []
            can += [("step", each) for each in self.in_forks]
            if not can:
                return
            what, each = self.random.choice(can)
            if what == "dispatch":
                self.in_forks.append(queue.pop(0))
            else:
                self._step(*each, in_order)
            self._must_not_be_stuck(queue, in_order)
        raise Stuck("seed %d" % self.seed)

    def _must_not_be_stuck(self, queue: list[tuple[str, str]], in_order: bool) -> None:
        if not self.in_forks or (queue and len(self.in_forks) < self.forks):
            return
        progress = [self.clusters[name].hosts[host].progress for name, host in self.in_forks]
        if COMMITTING in progress or STAGED in progress:
            return
        if not any(self._turn(name, host, in_order) for name, host in self.in_forks):
            raise Stuck("seed %d: %s wait for ever, not begun: %s" % (self.seed, self.in_forks, queue))

    def _turn(self, name: str, host: str, in_order: bool) -> restart_order_and_limits.Turn | None:
        asking = restart_order_and_limits.Asking(
            host,
            [host for _name, host in self.play],
            in_order,
            self.batches,
            self.max_failures,
            makes_way=in_order and len(self.clusters) > 1,
            forks=self.forks,
        )
        others = [run for other, run in self.clusters.items() if other != name]
        return restart_order_and_limits.decide(self.clusters[name], asking, others)

    def _step(self, name: str, host: str, in_order: bool) -> None:
        """What a host in a fork does next: say that it is there, ask whether it is its turn, or end its commit."""
        run = self.clusters[name]
        seen = run.hosts[host]
        if seen.progress == COMMITTING:
            if self.random.randrange(self.slowness):
                return
            seen.progress = ENDED
            self.at_work.remove(host)
            self.in_forks.remove((name, host))
            if host in self.fails:
                run.failed[host] = "it failed"
            return
        seen.progress = WAITING
        turn = self._turn(name, host, in_order)
        if turn is None:
            return
        if turn.go:
            seen.progress = COMMITTING
            self.began.append(host)
            self.at_work.append(host)
            self._must_be_allowed(run)
            return
        self.in_forks.remove((name, host))
        if turn.later:
            seen.progress, seen.made_way = STAGED, seen.made_way + 1
            self.again.append((name, host))
        else:
            seen.progress = LEFT

    def _must_be_allowed(self, run: Run) -> None:
        """Who is at work in this cluster at once, changes of agents without a restart aside."""
        phases = [plan.phase(run, host) for host in self.at_work if host in run.hosts]
        roles = [run.hosts[host].role for host in self.at_work if host in run.hosts]
        restarting = [phase for phase, role in zip(phases, roles) if (phase, role) != (plan.LIVE, "agent")]
        alone = [phase for phase in restarting if phase != plan.AGENTS]
        assert len(restarting) <= (1 if alone else max(self.batches.sizes)), "seed %d: %s" % (self.seed, self.at_work)
