# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who goes next and how many at once: pure decisions over the run, the only place where they are made.

Servers and the canary's hosts restart alone, agents in their number and never beside a server, whatever the strategy.
Whoever waits does so in one of Ansible's forks, so it waits only for hosts that need no fork any more to get their
turn: those that wait or work already and, if Ansible takes the hosts of a task in the order of the play, those that it
has taken before this one. That makes the order of the run that of the plan, with any number of forks.

Clusters of one play share its forks. If one of them has nothing to do because hosts of another wait in all forks, those
make way: their task ends, and is repeated once it has ended on all hosts.
"""

from __future__ import annotations

from typing import Container, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import shortened

from . import batches, plan, rehearsal, rehearsal_words, stop_after
from .batches import Batches
from .run import COMMITTING, STAGED, WAITING, Host, Run

NO_LEASE = (
    "nothing was restarted: the run does not hold its cluster's lease, which keeps two runs from restarting servers of "
    "one cluster. Take it first, with k3s_rollout_lease on a server (the role does that)"
)

# Each round is an include within that of the round before.
_MOST_ROUNDS = 30
# Each host of a fleet says what stopped it.
_MOST_ILL = 8


class Asking(NamedTuple):
    """A host that asks whether it is its turn.

    :param batch: the hosts of the play that Ansible still worked with when it began this host's task.
    :param in_order: whether it takes a task's hosts in the order of the play.
    :param batches: how many agents may be in their commit at once, and the pauses between them.
    :param max_failures: how many hosts may fail before the rest is left untouched.
    :param force: go on although hosts were ill before.
    :param makes_way: whether the task will be repeated if it ends before the host's turn.
    :param forks: how many hosts Ansible works on at once.
    :param now: this moment, in seconds since the epoch.
    """

    host: str
    batch: Sequence[str] = ()
    in_order: bool = False
    batches: Batches = Batches()
    max_failures: int = 0
    force: bool = False
    makes_way: bool = False
    forks: int = 1
    now: float = 0.0


class Turn(NamedTuple):
    """``go``, or ``later``, or not at all, with the reason in ``why``; ``over`` if that is the time alone."""

    go: bool
    why: str = ""
    later: bool = False
    over: bool = False


def decide(run: Run, asking: Asking, others: Sequence[Run] = ()) -> Turn | None:
    """Decide for the host that asks; None while it has to wait.

    :param others: the rollouts over the other clusters of the play.
    """
    if not asking.in_order and rehearsal.pending(run):
        # Where each host runs on by itself, one may still rehearse while the next is here already.
        return None
    why = stopped(run, asking.max_failures, asking.force)
    if why:
        return Turn(False, why)
    if _time_is_over(run, asking.now):
        return Turn(False, stop_after.why(run.pace.stop_at), over=True)
    if _restarts_nothing(run, asking.host):
        return Turn(True)
    if _comes_later(run, asking):
        return Turn(False, later=True)
    if _room(run, asking) and not _present_before(run, asking.host) and not absent_before(run, asking):
        return Turn(True)
    return Turn(False, later=True) if asking.makes_way and _makes_way(run, asking, others) else None


def ahead(run: Run, host: str) -> int:
    """How many hosts that wait have their turn before this one."""
    return len(_present_before(run, host))


def stopped(run: Run, max_failures: int, force: bool) -> str:
    """Why no further host may begin, "" if one may."""
    if run.lease.held or run.lease.without:
        return halted(run, max_failures, force)
    return halted(run, max_failures, force) or run.lease.refusal or NO_LEASE


def _time_is_over(run: Run, now: float) -> bool:
    return bool(run.pace.stop_at) and now >= run.pace.stop_at


def halted(run: Run, max_failures: int, force: bool) -> str:
    """The same, the Lease aside: why it need not even be taken."""
    if len(run.failed) > max_failures:
        return "left as it was, untouched: the rollout stopped after %s failed" % shortened(sorted(run.failed))
    if run.refused:
        return "left as it was, untouched: the configuration for %s was refused" % shortened(sorted(run.refused))
    ill = unfit(run)
    if ill and not force:
        return (
            "nothing was restarted, because the cluster was not healthy before the rollout (%s). Fix that, take "
            "the node out with --limit, or go ahead with k3s_registries_force: true" % _listed(ill)
        )
    return rehearsal_words.why(run)


def unfit(run: Run) -> list[str]:
    """Hosts that were ill before anything was done to them, for another reason than the pending change."""
    if plan.most_servers_hang(run):
        # Whatever else is wrong with a node shows once the servers run: its own commit looks.
        return []
    return ["%s: %s" % (name, host.ill) for name, host in sorted(run.hosts.items()) if host.ill and not host.explained]


def _listed(sentences: Sequence[str]) -> str:
    more = ["and %d more nodes" % (len(sentences) - _MOST_ILL)] if len(sentences) > _MOST_ILL else []
    return "; ".join([*sentences[:_MOST_ILL], *more])


def api_may_be_away(run: Run) -> bool:
    """Whether most servers of the run, or all that restart, are ill because of what the run is about to mend."""
    servers = [host for host in run.hosts.values() if host.role == "server" and host.restart]
    return plan.most_servers_hang(run) or (bool(servers) and all(map(plan.hangs, servers)))


def absent_before(run: Run, asking: Asking) -> list[str]:
    """The hosts of the same phase that Ansible has taken before this one, and whose process has yet to say so.

    Only those count of which that is certain: they have joined the rollout, in this batch of the play, and have not
    failed since. Hosts of other phases come in a task of their own, before this one or after it.
    """
    if not asking.in_order:
        return []
    phase, batch = plan.phase(run, asking.host), frozenset(asking.batch)
    return [host for host in _before(run, asking.host) if _dispatched_with(run, host, batch, phase)]


def _dispatched_with(run: Run, host: str, batch: Container[str], phase: str) -> bool:
    """Whether ``host`` certainly gets the task of the host that asks, and has yet to come to it.

    :param batch: the hosts with which Ansible still worked when it began that task.
    """
    seen = run.hosts[host]
    return seen.progress == STAGED and seen.ready and host in batch and plan.phase(run, host) == phase


def _comes_later(run: Run, asking: Asking) -> bool:
    """Whether a host before this one has made way. This one must not overtake it."""
    mine = run.hosts[asking.host].made_way
    return asking.makes_way and any(run.hosts[host].made_way > mine for host in absent_before(run, asking))


def _makes_way(run: Run, asking: Asking, others: Sequence[Run]) -> bool:
    """Whether another cluster has nothing to do, and could if this host did not wait in a fork.

    The last of those that wait makes way first; the next in the order keep theirs.
    """
    mine = run.hosts[asking.host].made_way
    waiting = [host for host in plan.order(run) if run.hosts[host].progress == WAITING]
    if not asking.in_order or waiting[-1:] != [asking.host] or mine >= _MOST_ROUNDS:
        return False
    phase = plan.phase(run, asking.host)
    starving = [host for other in others if not _present(other) for host in _to_be_dispatched(other, asking, phase)]
    if any(host.made_way > mine for host in starving):
        # Their next chance is the next round, which begins once this one has ended on all hosts.
        return True
    in_this_round = [host for host in starving if host.made_way == mine]
    return bool(in_this_round) and sum(len(_present(each)) for each in (run, *others)) >= asking.forks


def _to_be_dispatched(other: Run, asking: Asking, phase: str) -> list[Host]:
    if stopped(other, asking.max_failures, asking.force) or _time_is_over(other, asking.now):
        return []
    batch = frozenset(asking.batch)
    return [seen for host, seen in other.hosts.items() if _dispatched_with(other, host, batch, phase) and seen.restart]


def _present(run: Run) -> list[str]:
    return [name for name, seen in run.hosts.items() if seen.progress in (WAITING, COMMITTING)]


def _present_before(run: Run, host: str) -> list[str]:
    return [name for name in _before(run, host) if run.hosts[name].progress == WAITING]


def _before(run: Run, host: str) -> list[str]:
    hosts = plan.order(run)
    before = hosts[: hosts.index(host)] if host in hosts else hosts
    return [name for name in before if not _restarts_nothing(run, name)]


def _restarts_nothing(run: Run, host: str) -> bool:
    """An agent whose change needs no restart waits for nobody. A server takes its turn: in doubt it restarts."""
    return plan.phase(run, host) == plan.LIVE and run.hosts[host].role == "agent"


def _room(run: Run, asking: Asking) -> bool:
    """Whether nobody is at work beside whom this host must not be."""
    at_work = [
        plan.phase(run, name)
        for name, seen in run.hosts.items()
        if seen.progress == COMMITTING and not _restarts_nothing(run, name)
    ]
    if plan.phase(run, asking.host) != plan.AGENTS:
        return not at_work
    return all(name == plan.AGENTS for name in at_work) and batches.places(run, asking.batches, asking.now) > 0
