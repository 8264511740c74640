# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible's own settings mean for a rollout: how many forks it has, and in which order it takes hosts."""

from __future__ import annotations

from typing import Any, Mapping

from ansible import constants as C
from ansible import context

_LOCKSTEP = ("linear", "debug", "mitogen_linear")


def forks() -> int:
    """How many hosts Ansible works on at once."""
    return int(context.CLIARGS.get("forks") or C.DEFAULT_FORKS)


def takes_hosts_in_order(task: Any) -> bool:
    """Whether the play's strategy begins a task on its hosts in the play's order, and on no other task meanwhile.

    :param task: the task that an action plugin carries out.
    """
    parent = task
    while parent is not None:
        play = getattr(parent, "_play", None)
        if play is not None:
            return str(play.strategy).rpartition(".")[2] in _LOCKSTEP
        parent = getattr(parent, "_parent", None)
    return False


def agents_of(cluster: str, task_vars: Mapping[str, Any]) -> list[str]:
    """The agents of the cluster that take part in the play, in any of its batches.

    :param cluster: the names of its groups of servers and agents, as the role gives them.
    """
    members = set((task_vars.get("groups") or {}).get(cluster.partition("/")[2]) or [])
    return [str(host) for host in task_vars.get("ansible_play_hosts_all") or [] if host in members]
