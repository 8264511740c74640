# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has come of each host of a rollout, in one word."""

from __future__ import annotations

from typing import Collection, Iterable

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.outcome import (
    CHANGED,
    FAILED,
    REFUSED,
    STOPPED,
    UNCHANGED,
    UNREACHABLE,
)

from .run import ENDED, LEFT, Run


def outcomes(runs: Iterable[Run], hosts: Iterable[str], left: Collection[str]) -> dict[str, str]:
    """Hosts to outcomes. A host that has not had its turn yet, such as one of a later batch of the play, has none.

    :param runs: of all clusters of the play.
    :param hosts: all hosts of the play.
    :param left: those that Ansible has not taken out of the play for a failure.
    """
    known = list(runs)
    found = {}
    for name in hosts:
        said = next((word for word in (_of_host(run, name) for run in known) if word), "")
        if not said and any(run.refused for run in known):
            # For a check on the controller, before the first node was asked.
            said = REFUSED
        elif name not in left and said in ("", CHANGED, UNCHANGED):
            # In a task before the rollout, or after it.
            said = FAILED
        if said:
            found[name] = said
    return found


def _of_host(run: Run, name: str) -> str:
    """Empty if the run does not know the host."""
    if name in run.unreachable:
        return UNREACHABLE
    if name in run.refused:
        return REFUSED
    if name in run.failed:
        return FAILED
    host = run.hosts.get(name)
    if host is None:
        return ""
    if host.progress == LEFT and not run.failed:
        # What keeps a node from its restart, without a failure, is known before the first one is touched.
        return REFUSED
    if host.restart and run.follows and host.progress != ENDED:
        return STOPPED
    return CHANGED if host.changed else UNCHANGED
