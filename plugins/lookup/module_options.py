# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the collection's modules for one host, from the role's variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: module_options
short_description: "Internal to the role k3s_registries: its modules' options for a host"
version_added: 1.0.0
description:
  - Internal. The variables of the role C(k3s_registries) use it; its name and its result may change.
  - Gives the options of the collection's modules by the values of the role's variables on the host.
author:
  - the k3sfleet.registries authors (@k3sfleet)
options:
  _terms:
    description:
      - V(node) for the options of the action group C(k3sfleet.registries.node), V(applied) for those of
        M(k3sfleet.registries.k3s_registries) that say what the node must have, V(wanted) for these and those that say
        how it gets it, V(config) for the configuration alone.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: What the modules are told about this node
  ansible.builtin.debug:
    msg: "{{ lookup('k3sfleet.registries.module_options', 'node') }}"
"""

RETURN = r"""
_raw:
  description: One dictionary for each term.
  type: list
  elements: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._settings import module_options

_OF_VARIABLES = {
    "config": module_options.config,
    "applied": module_options.applied,
    "wanted": module_options.wanted,
}


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup of this file."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        def value(name: str) -> Any:
            return self._templar.template(variables[name]) if name in variables else None

        def options(term: str) -> dict[str, Any]:
            if term == "node":
                return module_options.node(value, variables["inventory_hostname"], variables["groups"])
            return _OF_VARIABLES[term](value)

        return [options(term) for term in terms]
