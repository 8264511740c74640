# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout over a fleet of any size in no time: the real decisions, stand-in nodes, and a clock that jumps.

Ansible is a main process that begins one host after the other, each ``dispatch`` seconds after the one before, as long
as a fork is free. A host that waits occupies its fork, as in a real run.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Callable

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import (
    batches as in_batches,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import (
    plan,
    stop_after,
    time_left,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.batches import Batches
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.restart_order_and_limits import (
    Asking,
    decide,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import (
    COMMITTING,
    ENDED,
    LEFT,
    STOPPED,
    WAITING,
    Host,
    Lease,
    Run,
)


def a_fleet(agents: int, servers: int = 3) -> Run:
    """A run that has its lease, over hosts that all need a restart, servers first in the play."""
    names = ["server-%d" % number for number in range(1, servers + 1)]
    names += ["edge-%04d" % number for number in range(1, agents + 1)]
    hosts = {name: Host(role=name.partition("-")[0].replace("edge", "agent"), ready=True) for name in names}
    return Run(hosts=hosts, order=names, lease=Lease(held=True), in_order=True)


@dataclass
class Simulation:
    """``takes`` says how long the commit of a host takes, ``fails`` are hosts whose commit fails.

    What was seen: ``began`` and ``ended`` of each host; ``most`` agents at once, ``pauses`` as they were announced with
    their moment, ``estimates`` as moment and seconds left.
    """

    run: Run
    takes: Callable[[str], float]
    batches: Batches = field(default_factory=Batches)
    forks: int = 50
    dispatch: float = 0.0
    max_failures: int = 0
    fails: frozenset[str] = frozenset()
    stop: str = ""
    in_order: bool = True
    estimate_every: int = 20
    now: float = 1_000_000.0
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    most: int = 0
    pauses: list[tuple[float, str]] = field(default_factory=list)
    estimates: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run.began = self.run.began or self.now
        self.at_work: list[tuple[float, str]] = []
        self.waiting: list[str] = []
        self.next_dispatch = self.now
        self.stop_after = stop_after.parse(self.stop)

    def play(self) -> Simulation:
        """Linear: phase by phase. Otherwise the hosts come as the play has them, with nothing between the phases."""
        if self.in_order:
            for phase in plan.PHASES:
                self._drain([host for host in plan.to_come(self.run) if plan.phase(self.run, host) == phase])
        else:
            self._drain(plan.to_come(self.run))
        return self

    def agents_begun(self) -> list[tuple[float, str]]:
        """The agents with the moments at which they began, in that order."""
        return sorted((at, host) for host, at in self.began.items() if self.run.hosts[host].role == "agent")

    def _drain(self, queue: list[str]) -> None:
        queue = list(queue)
        while queue or self.waiting or self.at_work:
            while queue and len(self.waiting) + len(self.at_work) < self.forks and self.now >= self.next_dispatch:
                self.next_dispatch = self.now + self.dispatch
                self.waiting.append(queue.pop(0))
                self.run.hosts[self.waiting[-1]].progress = WAITING
            while self.waiting and self._turn():
                pass
            self._go_on(queue)

    def _turn(self) -> bool:
        """Whether the first of those that wait waits no longer."""
        run = self.run
        host = next(name for name in plan.order(run) if name in self.waiting)
        run.pace.stop_at = stop_after.moment(self.stop_after, run.began, run.pace.first_restart)
        asking = Asking(host, run.order, self.in_order, self.batches, self.max_failures, forks=self.forks, now=self.now)
        turn = decide(run, asking)
        if turn is None:
            return False
        self.waiting.remove(host)
        if not turn.go:
            run.hosts[host].progress = STOPPED if turn.over else LEFT
            return True
        time_left.begin(run, host, self.batches, self.forks, self.now)
        run.hosts[host].progress = COMMITTING
        self.began[host] = self.now
        heapq.heappush(self.at_work, (self.now + self.takes(host), host))
        roles = [run.hosts[name].role for _until, name in self.at_work]
        assert "server" not in roles or len(roles) == 1, "%s beside others: %s" % (host, self.at_work)
        self.most = max(self.most, roles.count("agent"))
        return True

    def _go_on(self, queue: list[str]) -> None:
        """To the moment at which something happens next: an end, a host that is begun, a pause or time that is over."""
        forks_free = len(self.waiting) + len(self.at_work) < self.forks
        if not (queue or self.waiting or self.at_work) or (queue and forks_free and self.next_dispatch <= self.now):
            return
        moments = [until for until, _host in self.at_work[:1]]
        if queue and forks_free:
            moments.append(self.next_dispatch)
        if self.waiting:
            pause = in_batches.pause_left(self.run, self.batches, self.now)
            moments += [self.now + pause] if pause else []
            moments += [self.run.pace.stop_at] if self.run.pace.stop_at else []
        coming = [moment for moment in moments if moment > self.now]
        assert coming or self.at_work, "nothing can happen any more: %s wait, %s are to come" % (self.waiting, queue)
        self.now = min([*coming, *(until for until, _host in self.at_work[:1])])
        while self.at_work and self.at_work[0][0] <= self.now:
            self._end(heapq.heappop(self.at_work)[1])

    def _end(self, host: str) -> None:
        run = self.run
        run.hosts[host].progress = ENDED
        self.ended[host] = self.now
        if host in self.fails:
            run.failed[host] = "it failed"
        time_left.end(run, host, self.now)
        if len(self.ended) % self.estimate_every == 0:
            left = time_left.seconds(run, self.batches, self.forks, self.now)
            self.estimates += [(self.now, left)] if left is not None else []
        agents = [name for name in plan.to_come(run) if run.hosts[name].role == "agent"]
        pause = in_batches.pause_line(run, self.batches, len(agents))
        self.pauses += [(self.now, pause)] if pause else []
