# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the role's variables of one host, found before any node is asked."""

from __future__ import annotations

DOCUMENTATION = r"""
name: configuration_problem
short_description: "Internal to the role k3s_registries: what is wrong with its variables"
version_added: 1.0.0
description:
  - Internal. The tasks of the role C(k3s_registries) use it; its name and its result may change.
  - Holds the variables of the host against the role's argument specification, and checks what
    M(k3sfleet.registries.k3s_registries) checks with O(k3sfleet.registries.k3s_registries#module:validate_only).
  - A lookup, since a task would print a line for every host of a fleet that is well.
author:
  - the k3sfleet.registries authors (@k3sfleet)
options:
  _terms:
    description: The options for M(k3sfleet.registries.k3s_registries), as one dictionary.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: What is wrong, or an empty text
  ansible.builtin.debug:
    msg: "{{ lookup('k3sfleet.registries.configuration_problem', {'config': k3s_registries}) }}"
"""

RETURN = r"""
_raw:
  description: One text, empty if nothing is wrong.
  type: list
  elements: str
"""

import os
from types import SimpleNamespace
from typing import Any

import yaml
from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible_collections.k3sfleet.registries.plugins.action.k3s_registries import ActionModule
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import Warned, plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare import describe
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.once import once
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._short_way import checked_once

_SPECIFICATION = os.path.join(
    os.path.dirname(__file__), "..", "..", "roles", "k3s_registries", "meta", "argument_specs.yml"
)

display = Display()


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup of this file."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        options = once(str(C.DEFAULT_LOCAL_TMP), ["argument_specs"], _options)
        given = {name: plain(self._templar.template(variables[name])) for name in options if name in variables}
        # As plain values: the check of the arguments copies them. A value that ansible-core 2.19 templates only when it
        # is read would be copied with the templating engine, and the copy does not work.
        arguments = {key: plain(value) for key, value in terms[0].items()}
        parts = checked_once.parts(arguments, variables, given)
        try:
            warnings = once(str(C.DEFAULT_LOCAL_TMP), parts, lambda: self._check(options, given, arguments, variables))
        except _Problem as problem:
            return [str(problem)]
        for warning in warnings:
            if Warned.first(warning):
                # Since ansible-core 2.19 a lookup's own warnings go to the result of its task, and those of an include
                # are never shown.
                display.display("[WARNING]: %s" % warning, color=C.COLOR_WARN, stderr=True)
        return [""]

    def _check(
        self, options: dict[str, Any], given: dict[str, Any], arguments: dict[str, Any], variables: Any
    ) -> list[str]:
        """Check the variables of one host, for all hosts with the same ones; what comes of it are warnings.

        :raises _Problem: if something is wrong; then each host says so.
        """
        # What does not fit the role's argument specification.
        wrong = ArgumentSpecValidator(options).validate(given).error_messages
        if wrong:
            ActionModule.refuse(arguments, variables)
            raise _Problem("%s. Nothing has been touched." % "; ".join(wrong))
        task = SimpleNamespace(args=arguments, get_search_path=lambda: list(variables["ansible_search_path"]))
        action = ActionModule(task, None, None, self._loader, self._templar, None)
        try:
            prepared, warnings = action.checked(variables, given)
        except AnsibleActionFail as problem:
            raise _Problem(str(problem)) from None
        if prepared.errors:
            raise _Problem(describe.error_text(prepared.errors, prepared.warnings))
        return warnings


class _Problem(Exception):
    """What is wrong with the variables, as text."""


def _options() -> dict[str, Any]:
    with open(_SPECIFICATION, encoding="utf-8") as handle:
        found: dict[str, Any] = yaml.safe_load(handle)["argument_specs"]["main"]["options"]
    return {
        name: {key: value for key, value in option.items() if key != "description"} for name, option in found.items()
    }
