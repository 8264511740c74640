# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugins whose module runs on a node, and a node that is somebody else's.

Ansible acts on keys of any module's answer: ``ansible_facts`` become variables of the host, above those of the
inventory, and with ``run_once`` those of the first host count for all - for the path of a report on the controller,
too. What comes beside the answer, keys that it does not expect and the answer's warnings it prints as they are, escape
sequences and line breaks included. So an answer is looked at before Ansible sees it, and what is shown is cleaned.
"""

from __future__ import annotations

from typing import Any, Collection, Mapping

from ansible.errors import AnsibleActionFail
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import answer_of
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.alone import OddOutput, answer_alone
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.checked_action import CheckedAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import conform


class NodeAction(CheckedAction):
    """Everything of a node's output but the module's own answer is kept from Ansible."""

    def _low_level_execute_command(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = super()._low_level_execute_command(*arguments, **more)
        try:
            said = answer_alone(found.get("stdout") or "")
        except OddOutput as odd:
            raise AnsibleActionFail(
                "the node's answer is none that a module gives: %s. Nothing of it is used; see whether the node is "
                "still yours" % odd
            ) from None
        found.update(stdout=said, stdout_lines=said.splitlines())
        return found

    def _answer_of(
        self, module: str, arguments: Mapping[str, Any], not_sent: Collection[str], shape: Any, task_vars: Any
    ) -> dict[str, Any]:
        """What the collection's ``module`` answers to the arguments that are set and are the node's business.

        :raises OddAnswer: if it has not the ``shape`` that the module's answers have.
        """
        sent = {key: value for key, value in arguments.items() if key not in not_sent and value is not None}
        answer = answer_of(
            self._execute_module(module_name="k3sfleet.registries." + module, module_args=sent, task_vars=task_vars)
        )
        conform(answer, shape, "the node's answer")
        return answer


class ShownAction(NodeAction):
    """The module alone does the work; what it answers is cleaned before anybody sees it."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        # Without CheckedAction's: the module checks its arguments itself.
        result: dict[str, Any] = super(CheckedAction, self).run(tmp, task_vars)
        result.update(answer_of(self._execute_module(task_vars=task_vars)))
        return result
