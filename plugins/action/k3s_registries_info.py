# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a node about its registries, and makes sense of the answer on the controller, where YAML can be read.

The node's answer holds credentials. It comes sealed with a key of this one call, see ``_info/sealed.py``, and what is
returned is made here without them.
"""

from __future__ import annotations

import datetime
from typing import Any, Mapping

from ansible.errors import AnsibleActionFail
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.arguments import INFO_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.sealed import SealBroken, unseal
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import answer_of, cluster_groups, plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.node_action import NodeAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import SAID
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._config_yaml.ask import ask
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._info.info import Observation, info

_MODULE = "k3sfleet.registries.k3s_registries_info"
_ODD = (
    "k3s_registries_info: the node's answer is none that the module gives (%s). Nothing of it is used; see whether the "
    "node is still yours"
)
_MOST_FILES = 500


class ActionModule(NodeAction):
    _spec = INFO_ARGUMENTS

    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._ask(arguments, task_vars)
        if "said" not in answer:
            result.update(answer)
            return result
        try:
            result.update(changed=False, info=self._made_of(answer["said"], arguments, task_vars))
        except OddAnswer as odd:
            raise AnsibleActionFail(_ODD % odd) from None
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as problem:
            raise AnsibleActionFail(_ODD % ("a %s while it was read" % type(problem).__name__)) from problem
        return result

    def _made_of(self, said: dict[str, Any], arguments: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        seen = Observation(conform(said, SAID, "what it says"))
        files, pairs = (found[:_MOST_FILES] for found in seen.unseen())
        if files or pairs:
            # Named in a way that only a YAML parser understands (an anchor, an escape in a quoted path).
            again = self._ask(dict(arguments, certificate_files=files, certificate_pairs=pairs), task_vars)
            if "said" in again:
                seen = Observation(conform(again["said"], SAID, "what it says"))
        now = datetime.datetime.now(datetime.timezone.utc)
        return info(seen, now, cluster_groups(arguments["cluster"]))

    def _ask(self, arguments: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        """``{said: ...}``, or the module's failure as it is."""

        def execute(module_args: dict[str, Any]) -> dict[str, Any]:
            answer = plain(self._execute_module(module_name=_MODULE, module_args=module_args, task_vars=task_vars))
            if "unsure" in answer:
                return dict(answer)
            sealed = answer.pop("sealed", None)
            if answer.get("failed") or answer.get("unreachable") or answer.get("skipped"):
                answer.pop("info", None)
                return answer_of(answer)
            if not isinstance(sealed, str):
                raise AnsibleActionFail(_ODD % "it is not sealed")
            try:
                return {"said": unseal(sealed, module_args["key"])}
            except SealBroken as problem:
                raise AnsibleActionFail("k3s_registries_info: %s; run it again" % problem) from problem

        return ask(execute, arguments)
