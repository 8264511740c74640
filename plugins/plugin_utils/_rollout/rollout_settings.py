# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a rollout's settings, found before the first node is touched."""

from __future__ import annotations

from typing import Any, Collection, Mapping, NamedTuple

from . import ansible_run
from .agents_at_once import BatchProblem, batch_sizes


class Checked(NamedTuple):
    """``errors`` stop the run before the first node, ``warnings`` do not. Sentences that name the role's variable."""

    errors: list[str]
    warnings: list[str]


def check(rollout: Mapping[str, Any], cluster: str, task_vars: Mapping[str, Any]) -> Checked:
    """Check the settings of a rollout against the play that it is part of.

    :param rollout: ``agent_batch`` and ``canary``, as k3s_registries takes them.
    :param cluster: the names of the cluster's groups.
    """
    errors, warnings = [], []
    try:
        agents = len(ansible_run.agents_of(cluster, task_vars))
        warnings += _forks(rollout["agent_batch"], agents, ansible_run.forks())
    except BatchProblem as problem:
        errors.append("k3s_registries_agent_batch: %s" % problem)
    if rollout["canary"]:
        found = canary(rollout["canary"], task_vars.get("groups") or {}, task_vars.get("ansible_play_hosts_all") or [])
        errors += found.errors
        warnings += found.warnings
    return Checked(errors, warnings)


def canary_hosts(name: str, groups: Mapping[str, Collection[str]]) -> list[str]:
    """The hosts that go first: the one of this name, and those of a group of this name."""
    return [name, *groups.get(name, ())] if name else []


def canary(name: str, groups: Mapping[str, Collection[str]], play: Collection[str]) -> Checked:
    """A canary that is no canary: a name that the inventory does not have, or one that takes no part in the play."""
    if name not in play and name not in groups and not any(name in members for members in groups.values()):
        sentence = (
            "k3s_registries_canary: the inventory has neither a host nor a group with the name %r, so no node would "
            "go first. Put the name right, or leave the variable out" % name
        )
        return Checked([sentence], [])
    if name not in play and not set(groups.get(name, ())) & set(play):
        sentence = "k3s_registries_canary: no node of %r takes part in this play, so this rollout has no canary" % name
        return Checked([], [sentence])
    return Checked([], [])


def _forks(batch: Any, agents: int, forks: int) -> list[str]:
    wanted = min(max(batch_sizes(batch, agents)), agents)
    if wanted <= forks:
        return []
    said = "%d agents at once" % wanted
    if str(batch).strip().endswith("%") and len(batch_sizes(batch, agents)) == 1:
        said = "%s of the %d agents in this play are %d at once" % (str(batch).strip(), agents, wanted)
    elif len(batch_sizes(batch, agents)) > 1:
        said = "%s of the %d agents in this play are up to %d at once" % (_listed(batch), agents, wanted)
    return [
        "k3s_registries_agent_batch: %s, but Ansible has only %d forks, so no more than %d will restart at once. Run "
        "it with --forks %d, or set forks in ansible.cfg (in AWX, in the job template)" % (said, forks, forks, wanted)
    ]


def _listed(batch: Any) -> str:
    return ", ".join(map(str, batch)) if isinstance(batch, (list, tuple)) else str(batch).strip()
