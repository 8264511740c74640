# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The groups of the inventory that hold nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: node_groups
short_description: Find the groups whose hosts are nodes, as a pattern for a play's hosts
version_added: 1.0.0
description:
  - Collects the values of C(k3s_registries_server_group) and C(k3s_registries_agent_group) on every host of the
    inventory, including those from C(group_vars), which a play's C(hosts) does not see by itself.
  - The collection's playbooks use it. It needs an earlier play in the same playbook, because Ansible has no C(hostvars)
    before. Without one, only C(--extra-vars) and the defaults count.
author:
  - the k3sfleet.registries authors (@k3sfleet)
options:
  _terms:
    description: Not used.
    type: list
    elements: str
  problem:
    description: Return the reason why no host of the play is a node instead, or an empty text if one is.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Your own playbook, after any other play
  hosts: "{{ lookup('k3sfleet.registries.node_groups') }}"
  tasks:
    - name: Set up the registries on the fleet
      ansible.builtin.import_role:
        name: k3sfleet.registries.k3s_registries
"""

RETURN = r"""
_raw:
  description: One text, such as V(server:agent).
  type: list
  elements: str
"""

from typing import Any, Mapping

from ansible.plugins.lookup import LookupBase

# Ansible evaluates a play's hosts, and with them this lookup, in its main process. Every worker inherits what is
# imported there; without this, each host's worker would import all the rules anew, for 160 ms of its core.
from ansible_collections.k3sfleet.registries.plugins.lookup import configuration_problem, module_options
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes import groups
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rewrite_engine import rewrite_engine

__all__ = ["LookupModule", "configuration_problem", "module_options"]

rewrite_engine()

_VARIABLES = (groups.SERVER_VARIABLE, groups.AGENT_VARIABLE)


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup of this file."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        known: Mapping[str, Any] = variables or {}
        inventory = known.get("groups") or {}
        of_play = self._of_play(known)
        names_of = _names_of(known.get("hostvars") or {}, inventory, of_play)
        if self.get_option("problem"):
            return [groups.problem(names_of, inventory, list(known.get("ansible_play_hosts_all") or ()))]
        return [groups.pattern(names_of, inventory, _names(of_play))]

    def _of_play(self, variables: Mapping[str, Any]) -> dict[str, str]:
        """The names that apply to all hosts, whatever their variables say: those given to ``import_playbook`` under
        ``vars`` and, before there are any hosts, those of ``--extra-vars``."""
        hostvars, host = variables.get("hostvars"), variables.get("inventory_hostname")
        found = {}
        for name, default in zip(_VARIABLES, groups.DEFAULT):
            value = self._templar.template(variables[name]) if variables.get(name) else default
            # A play that imports a role also has its defaults. A value of the current host applies to that host only.
            if value != default and not (hostvars and host is not None and hostvars[host].get(name) == value):
                found[name] = str(value)
        return found


def _names_of(hostvars: Any, inventory: Mapping[str, Any], of_play: Mapping[str, str]) -> dict[str, groups.Names]:
    # Not every host of hostvars: the implicit localhost is in no inventory.
    hosts = inventory.get("all") or () if hostvars else ()
    return {str(host): _names({**_set_by(hostvars[host]), **of_play}) for host in hosts}


def _set_by(variables: Mapping[str, Any]) -> dict[str, str]:
    """The names that a host's variables set."""
    found = {name: variables.get(name) for name in _VARIABLES}
    return {name: str(value) for name, value in found.items() if value}


def _names(named: Mapping[str, str]) -> groups.Names:
    server, agent = (named.get(name) or default for name, default in zip(_VARIABLES, groups.DEFAULT))
    return groups.Names(server, agent)
