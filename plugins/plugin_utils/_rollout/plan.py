# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose turn it is, and whether there still are turns: pure decisions over the ledger's state."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple


class Turn(NamedTuple):
    """``go``, or not, with the reason in ``why``; ``position`` of ``total`` once it has ended."""

    go: bool
    position: int = 0
    total: int = 0
    why: str = ""


def to_commit(state: Mapping[str, Any]) -> list[str]:
    """The hosts of the run that have something to commit: the canary's, those that change live, servers, agents, each
    in the order of the play."""

    def place(host: str) -> tuple[bool, bool, bool, int]:
        seen = state["staged"][host]
        canary = host in state.get("canary", ())
        return not canary, not seen.get("live"), seen["role"] != "server", seen.get("position", 0)

    return sorted((host for host, seen in state["staged"].items() if seen["restart"]), key=place)


def unfit(state: Mapping[str, Any]) -> list[str]:
    """Hosts that were ill before anything was done to them, for another reason than the pending change."""
    return [
        "%s: %s" % (host, seen["health"]["sentence"])
        for host, seen in sorted(state["staged"].items())
        if seen.get("health") and not seen["health"]["healthy"] and not seen["health"]["explained"]
    ]


def api_may_be_away(state: Mapping[str, Any]) -> bool:
    """Whether every server of the run that has to be restarted is ill because of what the run is about to mend."""
    servers = [seen for seen in state["staged"].values() if seen["role"] == "server" and seen["restart"]]
    return bool(servers) and all(
        seen["health"] and not seen["health"]["healthy"] and seen["health"]["explained"] for seen in servers
    )


def to_come(state: Mapping[str, Any]) -> list[str]:
    """The hosts whose commit has neither ended nor been called off."""
    return [host for host in to_commit(state) if not {"ended", "left"} & set(state["staged"][host])]


def turn(state: Mapping[str, Any], host: str, max_failures: int, force: bool) -> Turn:
    """Decide for ``host``.

    :param max_failures: how many hosts may fail before the rest is left untouched.
    :param force: go on although hosts were ill before.
    """
    failed = state["failed"]
    if len(failed) > max_failures:
        return Turn(
            False,
            why="left as it was, untouched: the rollout stopped after %s failed" % ", ".join(sorted(failed)),
        )
    refused = state.get("refused")
    if refused:
        return Turn(
            False,
            why="left as it was, untouched: the configuration for %s was refused" % ", ".join(sorted(refused)),
        )
    ill = unfit(state)
    if ill and not force:
        return Turn(
            False,
            why="nothing was restarted, because the cluster was not healthy before the rollout (%s). Put that right, "
            "take the node out with --limit, or go ahead with k3s_registries_force: true" % "; ".join(ill),
        )
    return Turn(True)


def ended(state: Mapping[str, Any]) -> Turn:
    """How many of the hosts that restart have ended, well or not, as ``position`` of ``total``."""
    order = to_commit(state)
    return Turn(True, sum(1 for host in order if state["staged"][host].get("ended")), len(order))


def plan_lines(state: Mapping[str, Any], batch: str) -> list[str]:
    """The rollout in words, a line each: what restarts, in which order, and why."""
    order = to_commit(state)
    if not order:
        return []
    live = [host for host in order if state["staged"][host].get("live")]
    restart = [host for host in order if host not in live]
    canary = [host for host in restart if host in state.get("canary", ())]
    servers = [host for host in restart if state["staged"][host]["role"] == "server" and host not in canary]
    agents = [host for host in restart if host not in servers and host not in canary]
    lines = ["Rollout plan: %d of %d nodes restart" % (len(restart), len(state["staged"]))]
    if canary:
        lines.append("  first, as the canary, one at a time: " + ", ".join(canary))
    if live:
        lines.append("  without a restart: " + ", ".join(live))
    if servers:
        lines.append("  servers, one at a time: " + ", ".join(servers))
    if agents:
        lines.append("  agents, %s at a time: %s" % (batch, ", ".join(agents)))
    reasons: dict[str, list[str]] = {}
    for host in order:
        reasons.setdefault("; ".join(state["staged"][host]["reasons"]), []).append(host)
    for reason, hosts in reasons.items():
        lines.append("  because on %s: %s" % (", ".join(hosts), reason))
    return lines


def progress_line(turn_taken: Turn, host: str, result: Mapping[str, Any]) -> str:
    """``[2/3] node restarted and healthy after 4.2 s, canary pulled``"""
    head = "[%d/%d] %s " % (turn_taken.position, turn_taken.total, host)
    seconds = "%.1f s" % _number(result.get("seconds"))
    if result.get("failed"):
        put_back = " and put back as it was" if result.get("rolled_back") else ""
        return head + "FAILED after %s%s (last step: %s)" % (seconds, put_back, result.get("step"))
    action = "restarted and healthy" if result.get("restarted") else str(result.get("step"))
    if action == "done":
        action = "healthy without a restart"
    pulled = result.get("canaries")
    listed = [item for item in pulled if isinstance(item, Mapping)] if isinstance(pulled, list) else []
    canaries = ", ".join(str(item.get("image")) for item in listed)
    return head + "%s after %s" % (action, seconds) + (", pulled " + canaries if canaries else "")


def _number(value: Any) -> float:
    """What a node says took so long; 0 where that is no number."""
    return float(value) if isinstance(value, (int, float)) and abs(value) < 1e9 else 0.0
