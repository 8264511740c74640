# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugins whose module runs on a node, which may be in somebody else's hands.

Ansible acts on keys of any module's answer: ``ansible_facts`` become variables of the host, above those of the
inventory, and with ``run_once`` those of the first host count for all, even for the path of a report on the controller.
It prints text around the answer, unknown keys and warnings as they are, with escape sequences and line breaks. So every
answer is checked before Ansible sees it, and cleaned before it is shown.
"""

from __future__ import annotations

from typing import Any, Collection, Mapping

from ansible.errors import AnsibleActionFail
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import answer_of

from .alone import OddOutput, answer_alone
from .checked_action import CheckedAction
from .conform import conform


class NodeAction(CheckedAction):
    """Hides everything in a node's output but the module's answer from Ansible."""

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
        """What the collection's ``module`` answers to the arguments that are set and that the node needs.

        :raises OddAnswer: if it does not have the ``shape`` of the module's answers.
        """
        sent = {key: value for key, value in arguments.items() if key not in not_sent and value is not None}
        answer = answer_of(
            self._execute_module(module_name="k3sfleet.registries." + module, module_args=sent, task_vars=task_vars)
        )
        conform(answer, shape, "the node's answer")
        return answer


class ShownAction(NodeAction):
    """The module alone does the work; its answer is cleaned before anybody sees it."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        # Without CheckedAction's: the module checks its arguments itself.
        result: dict[str, Any] = super(CheckedAction, self).run(tmp, task_vars)
        result.update(answer_of(self._execute_module(task_vars=task_vars)))
        return result
