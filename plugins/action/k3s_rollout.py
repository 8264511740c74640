# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of k3s_rollout: whose turn it is, when to stop, what to tell."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import ROLLOUT_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import ledger_of, plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import plan
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger

_CONTROLLER_ONLY = ("staged", "max_failures", "agent_batch", "cluster")

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        _validated, arguments = self.validate_argument_spec(argument_spec=ROLLOUT_ARGUMENTS)
        arguments = plain(arguments)
        host = str((task_vars or {}).get("inventory_hostname", ""))
        result.update(changed=False, restarted=False, rolled_back=False, untouched=False, step="nothing to do")
        if not arguments["staged"].get("restart"):
            return result
        ledger = ledger_of(arguments)
        with ledger.opened() as state:
            if not state["shown"]:
                state["shown"] = True
                for line in plan.plan_lines(state, arguments["agent_batch"]):
                    display.display(line)
        if self._task.check_mode:
            result.update(changed=True, step="would restart %s" % arguments["staged"].get("service"))
            return result

        servers_one_at_a_time = (
            ledger.exclusively("servers") if arguments["node_role"] == "server" else contextlib.nullcontext()
        )
        with servers_one_at_a_time:
            with ledger.opened() as state:
                turn = plan.turn(state, host, arguments["max_failures"], arguments["force"])
            if not turn.go:
                result.update(failed=True, untouched=True, step="not started", msg=turn.why)
                return result
            try:
                answer = self._execute_module(
                    module_name="k3sfleet.registries.k3s_rollout",
                    module_args={
                        key: value
                        for key, value in arguments.items()
                        if key not in _CONTROLLER_ONLY and value is not None
                    },
                    task_vars=task_vars,
                )
            except AnsibleError as error:
                # The connection is gone; the node goes on by itself. Nobody knows yet how it ended.
                self._ended(ledger, host, dict(result, failed=True, step="connection lost", msg=str(error)))
                raise
            result.update(answer)
            self._ended(ledger, host, result)
        return result

    def _ended(self, ledger: Ledger, host: str, result: dict[str, Any]) -> None:
        """Tell the ledger and the person at the terminal how it ended on ``host``."""
        with ledger.opened() as state:
            state["staged"].setdefault(host, {"role": "agent", "restart": True, "reasons": []})["ended"] = True
            if result.get("failed") or result.get("unreachable"):
                state["failed"][host] = str(result.get("msg", ""))
            display.display(plan.progress_line(plan.ended(state), host, result))
