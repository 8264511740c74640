# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of an inventory are nodes, by the groups that the hosts' own variables name, and what is wrong if
there are none.

A play's ``hosts`` is read before there is a host, so a name in ``group_vars`` does not reach it by itself: the names
are gathered from all hosts here.
"""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Sequence

from .shortened import shortened

SERVER_VARIABLE = "k3s_registries_server_group"
AGENT_VARIABLE = "k3s_registries_agent_group"
#: Groups of Ansible's own, which nobody names as those of nodes.
_NO_NODES = ("all", "ungrouped")


class Names(NamedTuple):
    """The groups of a cluster's servers and of its agents."""

    server: str
    agent: str


DEFAULT = Names("server", "agent")


def pattern(names_of: Mapping[str, Names], groups: Mapping[str, Sequence[str]], otherwise: Names = DEFAULT) -> str:
    """What a play's ``hosts`` has to be: the groups of every cluster, all servers before all agents.

    :param names_of: inventory host to the groups that its variables name.
    :param groups: the inventory's groups with their hosts.
    :param otherwise: what it is if nothing is known of any host, as with ``--list-hosts``.
    """
    pairs = _alive(names_of, groups) or [otherwise]
    names = [name for column, default in zip(zip(*pairs), DEFAULT) for name in _meant(column, default, groups)]
    return ":".join(dict.fromkeys(names))


def problem(names_of: Mapping[str, Names], groups: Mapping[str, Sequence[str]], hosts: Sequence[str]) -> str:
    """Why a run over ``hosts`` would look at nothing, or would silently leave nodes out; "" if all is well.

    :param hosts: the inventory's hosts that ``--limit`` leaves.
    """
    if not names_of:
        return "The inventory has no hosts, so there is nothing to do. Name an inventory with nodes: -i inventory.yml"
    nodes = {
        host for pair in _alive(names_of, groups) for group in pair for host in groups.get(group, ())
    }  # fmt: skip
    if not nodes:
        return "The inventory has no hosts in the groups %s, so there is nothing to do. %s" % (
            _listed(_pairs(names_of)),
            _fix(groups),
        )
    if nodes.isdisjoint(hosts):
        return (
            "No host of this run is in the groups %s, so there is nothing to do: --limit leaves %s. Limit the run to "
            "nodes, or name the groups of these hosts with %s and %s"
            % (_listed(_alive(names_of, groups)), shortened(hosts), SERVER_VARIABLE, AGENT_VARIABLE)
        )
    lost = {host: names_of[host] for host in hosts if host in names_of and _is_dead(names_of[host], groups)}
    lost = {host: pair for host, pair in lost.items() if pair != DEFAULT}
    if lost:
        return (
            "%s: the variables %s and %s name the groups %s, and the inventory has no hosts in them, so these nodes "
            "would be left out. %s"
            % (shortened(sorted(lost)), SERVER_VARIABLE, AGENT_VARIABLE, _listed(lost.values()), _fix(groups))
        )
    return ""


def _meant(names: Sequence[str], default: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Without the default name, if nobody has such a group and others name another: it comes from hosts that are no
    nodes. Of every other group that is not there, Ansible warns."""
    meant = [name for name in names if name != default or name in groups]
    return meant or list(names)


def _pairs(names_of: Mapping[str, Names]) -> list[Names]:
    return list(dict.fromkeys(names_of.values()))


def _alive(names_of: Mapping[str, Names], groups: Mapping[str, Sequence[str]]) -> list[Names]:
    """The pairs of groups of which at least one has hosts: hosts that are no nodes have the default names, too."""
    return [pair for pair in _pairs(names_of) if not _is_dead(pair, groups)]


def _is_dead(pair: Names, groups: Mapping[str, Sequence[str]]) -> bool:
    return not any(groups.get(group) for group in pair)


def _listed(pairs: Iterable[Names]) -> str:
    return " and ".join(dict.fromkeys(group for pair in pairs for group in pair))


def _fix(groups: Mapping[str, Sequence[str]]) -> str:
    there = sorted(group for group, hosts in groups.items() if hosts and group not in _NO_NODES)
    return (
        "Set %s and %s to the groups of your servers and agents, in the inventory, in group_vars/all.yml or in the "
        "group_vars of the cluster's group, or with --extra-vars. Groups with hosts: %s"
        % (SERVER_VARIABLE, AGENT_VARIABLE, shortened(there) or "none")
    )
