# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes on which a run saw to files only, since no K3s was there to restart: told in one line for each cluster.

A wrong distribution or service makes every node look like that, and such a run is as short and as green as the best.
Ansible has no moment at which all nodes have answered, so the last one to answer says it for all.
"""

from __future__ import annotations

from typing import Collection, Mapping, Sequence

from .shortened import shortened

#: What the init system says of a K3s that is not meant to run, in words that go before names.
_WITHOUT_K3S = {"absent": "K3s is not installed on ", "stopped": "stopped on ", "failed": "failed on "}


def expected(cluster: str, hosts: Sequence[str], groups: Mapping[str, Collection[str]]) -> list[str]:
    """Of a play's hosts those of a cluster, which is named by its two groups, ``server/agent``."""
    members = {host for group in cluster.split("/", 1) for host in groups.get(group, ())}
    return [host for host in hosts if host in members]


def line(answers: Mapping[str, str]) -> str:
    """What there is to say of the nodes that have been staged, or could not be; "" if K3s runs on all of them.

    :param answers: nodes to states of their services, as k3s_registries has them; "" if nothing was answered.
    """
    by_state = {
        word: sorted(host for host, found in answers.items() if found == state) for state, word in _WITHOUT_K3S.items()
    }
    idle = sum(len(hosts) for hosts in by_state.values())
    if not idle:
        return ""
    where = "; ".join(word + shortened(hosts) for word, hosts in by_state.items() if hosts)
    said = "only files, no restart and no health check, on %d of %d nodes: %s" % (
        idle,
        len(answers),
        where,
    )
    if by_state[_WITHOUT_K3S["absent"]]:
        said += " (if it is, set k3s_registries_distribution and k3s_registries_service to match it)"
    return said
