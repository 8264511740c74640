# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal of a run: which nodes rehearse, what they have said together, and whether that stops the run. Pure.

One node for each distinct configuration and architecture stands for all that are like it: the nodes of the canary or,
without any, the first server and the first agent. A node that is unhealthy asks nothing: its containerd may not answer,
and the run may be what repairs it.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.vocabulary import (
    LOST,
    NOT_KNOWN,
    SAME_PLACE,
)

from .run import Run

NEVER, CANARY, ALL = "never", "canary", "all"
_ROLES = ("server", "agent")


def candidates(run: Run, batch: Iterable[str]) -> list[str]:
    """The hosts of a batch that could rehearse, in its order."""
    return [
        host
        for host in batch
        if host in run.hosts
        and run.hosts[host].kind
        and run.hosts[host].restart
        and not run.hosts[host].ill
        and host not in run.rehearsal.chosen
    ]


def choose(run: Run, mode: str, batch: Sequence[str], asking: str) -> None:
    """Enter who rehearses.

    :param mode: NEVER, CANARY or ALL.
    :param batch: the hosts of the play, in its order.
    :param asking: under the free strategies nobody knows who else comes, so whoever asks first does it.
    """
    if mode == NEVER:
        return
    found = candidates(run, batch if run.in_order else [asking])
    rehearsal = run.rehearsal
    if mode == ALL:
        rehearsal.chosen += found
        return
    for host in sorted(found, key=lambda name: name not in run.canary):
        seen, is_canary = run.hosts[host], host in run.canary
        kinds = ["%s %s" % (seen.kind, role) for role in (_ROLES if is_canary else (seen.role,))]
        new = [kind for kind in kinds if kind not in rehearsal.covered]
        if is_canary or new:
            rehearsal.chosen.append(host)
            rehearsal.covered += new


def pending(run: Run) -> list[str]:
    """The hosts that have been chosen and have not ended."""
    return [host for host in run.rehearsal.chosen if host not in run.rehearsal.ended]


def enter(run: Run, host: str, said: Mapping[str, Any] | None, problem: str = "") -> None:
    """Enter what a host has found, or why it has found nothing.

    :param said: ``rehearsal`` of k3s_rollout.
    """
    rehearsal = run.rehearsal
    rehearsal.ended.append(host)
    if said is None or problem:
        rehearsal.problems[host] = problem or "no reason given"
        return
    rehearsal.effects.setdefault("; ".join(said["effect"]), []).append(host)
    for image in said["images"]:
        name, verdict = str(image["image"]), str(image["verdict"])
        names = rehearsal.verdicts.setdefault(verdict, [])
        if name not in names:
            names.append(name)
        if verdict in (LOST, NOT_KNOWN) or (image.get("digest") and verdict != SAME_PLACE):
            _merge(rehearsal.images, host, image)


_SAME = ("image", "verdict", "allowed", "endpoint", "cause", "message", "fix", "digest")


def _merge(images: list[dict[str, Any]], host: str, image: Mapping[str, Any]) -> None:
    """Add an image to those that other hosts have found, or the host to the one that is the same there."""
    found = {key: image.get(key) for key in _SAME}
    for known in images:
        if all(known[key] == found[key] for key in _SAME):
            known["hosts"].append(host)
            return
    images.append({**found, "hosts": [host]})


def lost(run: Run) -> list[dict[str, Any]]:
    """The images that stop the run, each with the hosts that found so."""
    return [item for item in run.rehearsal.images if item["verdict"] == LOST and not item["allowed"]]
