# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a rollout still takes: what the run has seen so far of each kind of node, played through to the end. Pure.

Servers one after the other, agents in their batches with the pauses between them, and no more at once than Ansible has
forks. Ansible itself needs time to begin a node: how long places stay free before an agent takes them is measured too.
"""

from __future__ import annotations

import heapq
import math
import random
from typing import Mapping, Sequence

from . import batches as in_batches
from . import plan, stop_after
from .batches import Batches
from .run import COMMITTING, Host, Run

Times = Mapping[str, Sequence[float]]

USUAL: Times = {"server": (15.0,), "agent": (5.0,), "live": (2.0,)}
"""Seconds that a commit usually takes, for the plan, when nothing has been seen yet."""

#: More than these of each kind are not kept: the next nodes take what the latest took.
_LATEST = 300
_PLAYED_AGENTS = 1000
_MOST_PLAYED = 25


def begin(run: Run, host: str, batches: Batches, forks: int, now: float) -> None:
    """Enter that the commit of ``host`` begins. Its progress still says that it waits."""
    pace = run.pace
    pace.began[host] = round(now, 2)
    if not run.hosts[host].live:
        pace.first_restart = pace.first_restart or now
    if plan.phase(run, host) != plan.AGENTS:
        return
    before = len(in_batches.begun(run))
    size, opens = batches.place(before)
    if opens or not pace.turns:
        since = pace.agents_ended + batches.pause if before else now
        pace.free = [round(since, 2)] * min(size, forks)
    # Ansible begins one host after the other, so a place that was free with many others has waited for those as well.
    could = max(pace.free.pop(0) if pace.free else now, pace.latest)
    pace.idle, pace.turns, pace.latest = pace.idle + max(0.0, now - could), pace.turns + 1, now


def end(run: Run, host: str, now: float, counts: bool = True) -> None:
    """Enter that the commit of ``host`` is over, however it ended.

    :param counts: whether it says something about what the next one will take.
    """
    pace = run.pace
    since = pace.began.pop(host, None)
    if since is not None and counts:
        took = pace.took.setdefault(_kind(run.hosts[host]), [])
        took.append(round(max(0.0, now - since), 1))
        del took[:-_LATEST]
    if plan.phase(run, host) == plan.AGENTS:
        pace.agents_ended = now
        pace.free.append(round(now, 2))


def seconds(run: Run, batches: Batches, forks: int, now: float, times: Times | None = None) -> float | None:
    """The seconds until all hosts of the plan are through; None as long as one of a kind comes that was not seen yet.

    :param times: what commits take, instead of what has been seen.
    """
    took = run.pace.took if times is None else times
    to_come = set(plan.to_come(run))
    coming = [host for host in plan.order(run) if host in to_come]
    if any(not took.get(_kind(run.hosts[host])) for host in coming):
        return None
    agents = [host for host in coming if plan.phase(run, host) == plan.AGENTS]
    live = [host for host in coming if plan.phase(run, host) == plan.LIVE and run.hosts[host].role == "agent"]
    together = {*agents, *live}
    alone = [host for host in coming if host not in together]
    total = sum(_mean(_rests(run, host, took, now)) for host in alone)
    if live:
        total += math.ceil(len(live) / forks) * _mean(took["live"])
    if agents:
        # By chance a batch has a slow one or not: the mean of several ways to play it is what is to be expected.
        ways = max(1, min(_MOST_PLAYED, _PLAYED_AGENTS // len(agents)))
        at_work = [host for host in agents if run.hosts[host].progress == COMMITTING]
        rests = [_rests(run, host, took, now) for host in at_work]
        chance = random.Random(len(agents))  # noqa: S311  # no secret
        state = (run, rests, len(agents) - len(at_work), batches, forks, took["agent"], now, chance)
        total += _mean([_play(*state) for _way in range(ways)])
    return total


def words(run: Run, batches: Batches, forks: int, now: float) -> str:
    """``about 4 min left`` for the progress line, and whether the run stops before that; "" if nothing is known."""
    left = seconds(run, batches, forks, now)
    if not left:
        return ""
    stop = run.pace.stop_at
    stops = ", no node begins after %s" % stop_after.clock(stop) if stop and now + left > stop else ""
    return "about %s left%s" % (stop_after.length(left), stops)


def plan_lines(run: Run, batches: Batches, forks: int, now: float) -> list[str]:
    """How long the rollout will take, in words, and which number counts if Ansible has fewer forks than a batch."""
    total = seconds(run, batches, forks, now, USUAL)
    if not total:
        return []
    lines = [
        "takes about %s if a server needs %d s and an agent %d s, without pulling canary images; the lines of the run "
        "say how long it takes here" % (stop_after.length(total), USUAL["server"][0], USUAL["agent"][0])
    ]
    agents = sum(plan.phase(run, host) == plan.AGENTS for host in plan.order(run))
    wanted = min(max(batches.sizes), agents)
    if wanted > forks:
        then = seconds(run, batches, wanted, now, USUAL) or total
        lines.append(
            "Ansible's %d forks count, not the %d agents of k3s_registries_agent_batch: with --forks %d it takes about "
            "%s" % (forks, wanted, wanted, stop_after.length(then))
        )
    return lines


def _kind(host: Host) -> str:
    return "live" if host.live else host.role


def _mean(times: Sequence[float]) -> float:
    return sum(times) / len(times)


def _rests(run: Run, host: str, took: Times, now: float) -> list[float]:
    """What a host may still take: all of it, or what those that took longer than it has so far took from there on."""
    since = now - run.pace.began.get(host, now)
    return [time - since for time in took[_kind(run.hosts[host])] if time > since] or [0.0]


def _play(
    run: Run,
    rests: Sequence[Sequence[float]],
    waiting: int,
    batches: Batches,
    forks: int,
    took: Sequence[float],
    now: float,
    chance: random.Random,
) -> float:
    """Play the agents through: each takes a place as soon as one is free and its batch has begun.

    :param rests: what each of those that are at work may still take.
    :param waiting: how many have yet to begin.
    """
    ends = [chance.choice(rest) for rest in rests]
    heapq.heapify(ends)
    before = len(in_batches.begun(run))
    delay = run.pace.idle / run.pace.turns if run.pace.turns else 0.0
    moment, pause = 0.0, in_batches.pause_left(run, batches, now) if before and not rests else batches.pause
    for number in range(before, before + waiting):
        size, opens = batches.place(number)
        if opens and number:
            moment = max([moment, *ends]) + pause
            ends, pause = [], batches.pause
        while len(ends) >= min(size, forks):
            moment = max(moment, heapq.heappop(ends))
        moment += delay
        heapq.heappush(ends, moment + chance.choice(took))
    return max([moment, *ends])
