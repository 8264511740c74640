# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a rollout: which host belongs to which phase, the order, and both in words."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import steps
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import counted, shortened

from . import rehearsal_words
from .run import ENDED, LEFT, STOPPED, Host, Run

CANARY, HANGING, LIVE, SERVERS, AGENTS = "canary", "hanging", "live", "servers", "agents"
PHASES = (CANARY, HANGING, LIVE, SERVERS, AGENTS)
_MOST_REASONS = 20


def phase(run: Run, host: str) -> str:
    """The part of the rollout in which ``host`` takes its turn."""
    seen = run.hosts[host]
    if host in run.canary and (hangs(seen) or not most_servers_hang(run)):
        return CANARY
    if seen.member:
        # While it hangs, etcd lacks its vote, so that no other server may restart.
        return HANGING
    if seen.live:
        return LIVE
    return SERVERS if seen.role == "server" else AGENTS


def hangs(seen: Host) -> bool:
    """Whether this is a server that is ill because of what the run is about to mend."""
    return seen.role == "server" and bool(seen.ill) and seen.explained


def most_servers_hang(run: Run) -> bool:
    """Whether so many servers are ill because of what the run is about to mend that the others cannot do without them:
    until they run again there may be no API, and no other node can be well."""
    servers = [seen for seen in run.hosts.values() if seen.role == "server"]
    return bool(servers) and len(servers) - sum(map(hangs, servers)) <= len(servers) // 2


def order(run: Run) -> list[str]:
    """The hosts of the play's batch that have something to commit: phase by phase, in each as Ansible takes them."""
    members: dict[str, list[str]] = {name: [] for name in PHASES}
    for host in run.order or run.hosts:
        if host in run.hosts and run.hosts[host].restart:
            members[phase(run, host)].append(host)
    return [host for name in PHASES for host in members[name]]


def to_come(run: Run) -> list[str]:
    """The hosts whose commit has neither ended nor been called off, in any batch of the play."""
    return [host for host, seen in run.hosts.items() if seen.restart and seen.progress not in (ENDED, LEFT, STOPPED)]


def hanging(run: Run) -> list[str]:
    """etcd's names of servers that hang on the registries.yaml which the run has yet to replace."""
    return [run.hosts[host].member for host in to_come(run) if run.hosts[host].member]


def embedded_mirror(run: Run) -> str | None:
    """Where the cluster's servers have their embedded registry, "" for off; None unless all say the same."""
    told = {host.embedded_mirror for host in run.hosts.values() if host.role == "server"}
    return told.pop() if len(told) == 1 else None


def plan_lines(run: Run, agents: str, times: Sequence[str] = (), cordon: bool = False) -> list[str]:
    """The rollout in words, a line each: what restarts, in which order, how long that takes, and why.

    :param agents: how many agents restart at once, in words: ``5 at a time``.
    :param times: what there is to say about how long it takes.
    :param cordon: whether nodes are cordoned around their restart.
    """
    hosts = order(run)
    if not hosts:
        return []
    restart = [host for host in hosts if not run.hosts[host].live]
    in_this_batch = [host for host in run.hosts if host in run.order] if run.order else list(run.hosts)
    lines = ["Rollout plan: %d of %d nodes restart" % (len(restart), len(in_this_batch))]
    for name, heading in (
        (CANARY, "first, as the canary, one at a time"),
        (HANGING, "servers that hang because of their registries.yaml, one at a time"),
        (LIVE, "without a restart"),
        (SERVERS, "servers, one at a time"),
        (AGENTS, "agents, " + agents),
    ):
        members = [host for host in hosts if phase(run, host) == name]
        if members:
            lines.append("  %s: %s" % (heading, shortened(members)))
    if cordon and restart:
        lines.append("  each is cordoned before its restart, and uncordoned when it is healthy")
    lines += ["  " + line for line in times]
    return [*lines, *_reasons(run, hosts), *rehearsal_words.effect_lines(run)]


def _reasons(run: Run, hosts: Sequence[str]) -> list[str]:
    """Why these restart, each reason once with the hosts that have it; those of most hosts first if they are many."""
    reasons: dict[str, list[str]] = {}
    for host in hosts:
        reasons.setdefault("; ".join(run.hosts[host].reasons), []).append(host)
    listed = list(reasons.items())
    if len(listed) > _MOST_REASONS:
        listed.sort(key=lambda item: -len(item[1]))
    lines = ["  because on %s: %s" % (shortened(because_of), reason) for reason, because_of in listed[:_MOST_REASONS]]
    rest = [host for _reason, because_of in listed[_MOST_REASONS:] for host in because_of]
    if rest:
        lines.append(
            "  because on %s: %s; the result of each has its own, as reasons"
            % (shortened(rest), counted(len(listed) - _MOST_REASONS, "other reason"))
        )
    return lines


def count(run: Run) -> str:
    """``[2/3]``: how many hosts of the plan have ended, well or not."""
    hosts = order(run)
    return "[%d/%d]" % (sum(run.hosts[name].progress == ENDED for name in hosts), len(hosts))


def progress_line(run: Run, host: str, result: Mapping[str, Any]) -> str:
    """``[2/3] node restarted and healthy after 4.2 s, pulled image``, with the hosts that have ended, well or not."""
    head = "%s %s " % (count(run), host)
    seconds = "%.1f s" % _number(result.get("seconds"))
    step = str(result.get("step"))
    if result.get("failed"):
        rolled_back = ", rolled back" if result.get("rolled_back") else ""
        return head + "FAILED after %s%s (last step: %s)" % (seconds, rolled_back, steps.words(step))
    action = steps.words(step)
    if step == steps.DONE:
        healthy = "restarted and healthy" if result.get("restarted") else "healthy without a restart"
        action = "changed without a restart" if result.get("live") else healthy
    pulled = result.get("canaries")
    listed = [item for item in pulled if isinstance(item, Mapping)] if isinstance(pulled, list) else []
    canaries = ", ".join(str(item.get("image")) for item in listed)
    waited = "; ".join(result.get("waited_for") or [])
    return (
        head
        + "%s after %s" % (action, seconds)
        + (", pulled " + canaries if canaries else "")
        + (", after waiting for " + waited if waited else "")
    )


def waiting_line(host: str, timeout: int, servers: Sequence[str]) -> str:
    """``server-1 waits up to 60 s before its restart for server-2 (its API is not ready)``"""
    return "%s waits up to %d s before its restart for %s" % (host, timeout, "; ".join(servers))


def _number(value: Any) -> float:
    """The seconds that a node has reported; 0 if that is not a number."""
    return float(value) if isinstance(value, (int, float)) and abs(value) < 1e9 else 0.0
