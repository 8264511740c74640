# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of k3s_rollout: whose turn it is, when to stop, what to tell, and the cluster's Lease."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import uuid
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import ROLLOUT_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import answer_of, ledger_of, plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import ROLLED
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import keeper, patience, plan
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger

_CONTROLLER_ONLY = ("staged", "max_failures", "agent_batch", "at_once", "cluster")
_NO_SERVERS = (
    "the inventory has no host in the group %r, through which the cluster's lease is taken. Where AWX has cut the "
    "inventory into slices, set the job template's job slicing to 1 (the role works on all nodes at once by itself); "
    "to reach agents only, keep the servers in the inventory and use --limit"
)
_NO_LEASE = (
    "nothing was restarted: the run does not have its cluster's lease, which keeps two runs from restarting servers of "
    "one cluster. Take it first, with k3s_rollout and operation: hold on a server (the role does that)"
)
_UNSTAGED = {"role": "agent", "restart": True, "reasons": []}

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        _validated, arguments = self.validate_argument_spec(argument_spec=ROLLOUT_ARGUMENTS)
        arguments = plain(arguments)
        ledger = ledger_of(arguments)
        result["changed"] = False
        if arguments["operation"] == "hold":
            # Under the free strategies run_once does not hold; the first host takes the Lease for all.
            with ledger.exclusively("lease"):
                return self._hold(ledger, arguments, result, task_vars)
        if arguments["operation"] == "release":
            with ledger.exclusively("lease"):
                return self._release(ledger, arguments, result, task_vars)
        result.update(restarted=False, rolled_back=False, untouched=False, step="nothing to do")
        if not arguments["staged"].get("restart"):
            return result
        self._show_plan(ledger, arguments)
        if self._task.check_mode:
            result.update(changed=True, step="would restart %s" % arguments["staged"].get("service"))
            return result
        return self._commit(ledger, arguments, result, task_vars)

    def _show_plan(self, ledger: Ledger, arguments: dict[str, Any]) -> None:
        with ledger.opened() as state:
            state["canary"] = arguments["canary_hosts"]
            lines = [] if state["shown"] else plan.plan_lines(state, arguments["agent_batch"])
            state["shown"] = True
        for line in lines:
            _show(line)

    def _commit(
        self, ledger: Ledger, arguments: dict[str, Any], result: dict[str, Any], task_vars: Any
    ) -> dict[str, Any]:
        host = str((task_vars or {}).get("inventory_hostname", ""))
        server = arguments["node_role"] == "server"
        waits = not arguments["staged"].get("live") and (server or arguments["at_once"] > 0)
        with ledger.turn_to_restart(server, arguments["at_once"]) if waits else contextlib.nullcontext():
            with ledger.opened() as state:
                turn = plan.turn(state, host, arguments["max_failures"], arguments["force"])
                if turn.go and not (state["held"] or state["without"]):
                    turn = plan.Turn(False, why=_NO_LEASE)
                arguments["lease_holder"] = state["holder"] if state["held"] else ""
                if not turn.go:
                    state["staged"].setdefault(host, dict(_UNSTAGED))["left"] = True
            if not turn.go:
                result.update(failed=True, untouched=True, step="not started", msg=turn.why)
                return result
            try:
                answer = self._module(arguments, task_vars)
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
            state["staged"].setdefault(host, dict(_UNSTAGED))["ended"] = True
            if result.get("failed") or result.get("unreachable"):
                state["failed"][host] = str(result.get("msg", ""))
            _show(plan.progress_line(plan.ended(state), host, result))

    def _hold(
        self, ledger: Ledger, arguments: dict[str, Any], result: dict[str, Any], task_vars: Any
    ) -> dict[str, Any]:
        """Have the cluster's Lease. Every host of the run asks; the first of its cluster takes it for all."""
        server = str(self._task.delegate_to or (task_vars or {}).get("inventory_hostname", ""))
        with ledger.opened() as state:
            if state["held"] or state["without"]:
                result.update(lease="held" if state["held"] else "not held", lease_server=state["server"])
                return result
            if state["refusal"]:
                result.update(failed=True, msg=state["refusal"])
                return result
            if server in state["asked"]:
                result["lease"] = "elsewhere"
                return result
            controller = state["controller"] or os.getppid()
            arguments["lease_holder"] = state["holder"] = state["holder"] or _identity(controller)
        if self._task.check_mode:
            result["lease"] = "would be taken"
            return result
        servers = ((task_vars or {}).get("groups") or {}).get(_server_group(arguments)) or []
        if not servers:
            no_servers = {"msg": _NO_SERVERS % _server_group(arguments)}
            return self._without_lease(ledger, no_servers, arguments["force"], result)
        if not keeper.lives(controller):
            result.update(failed=True, msg="nothing was restarted: the run that asked for it has ended")
            return result
        try:
            answer = patience.outwait(lambda: self._module(arguments, task_vars), _show)
        except AnsibleError as error:
            answer = {"failed": True, "lease": "unavailable", "msg": "%s cannot be reached: %s" % (server, error)}
        if answer.get("failed"):
            with ledger.opened() as state:
                state["asked"].append(server)
                left = set(servers) - set(state["asked"])
            if answer.get("lease") == "unavailable" and left:
                _show("The lease cannot be taken through %s: %s" % (server, answer.get("msg")))
                result["lease"] = "elsewhere"
                return result
            return self._without_lease(ledger, answer, arguments["force"], result)
        with ledger.opened() as state:
            state.update(held=True, server=server)
        result.update(answer, lease_server=server)
        keeper.leave_behind(
            controller,
            wanted=lambda: _still_held(ledger),
            renew=lambda: self._quietly(dict(arguments, operation="hold"), task_vars),
            give_back=lambda: self._quietly(dict(arguments, operation="release"), task_vars),
        )
        return result

    def _without_lease(
        self, ledger: Ledger, answer: dict[str, Any], force: bool, result: dict[str, Any]
    ) -> dict[str, Any]:
        """The Lease could not be taken: stop, unless that is what the run is about to mend or the operator insists."""
        reason = str(answer.get("msg") or "no reason given")
        with ledger.opened() as state:
            explained = answer.get("lease") != "held" and plan.api_may_be_away(state)
            state["without"] = explained or force
            if not state["without"]:
                state["refusal"] = (
                    "nothing was restarted: %s. Wait for it or mend it, or go ahead with k3s_registries_force: true"
                    % reason
                )
                result.update(failed=True, msg=state["refusal"])
                return result
        why = "since the servers themselves are ill" if explained else "because k3s_registries_force is set"
        result.update(lease="not held", warnings=["Going on without the cluster's lease, %s: %s" % (why, reason)])
        return result

    def _release(
        self, ledger: Ledger, arguments: dict[str, Any], result: dict[str, Any], task_vars: Any
    ) -> dict[str, Any]:
        with ledger.opened() as state:
            held = state["held"]
            waiting = plan.to_come(state)
            if waiting:
                # A free strategy: whoever ends last gives it back. Should that host not come, the keeper does.
                result["lease"] = "kept for " + ", ".join(waiting)
                return result
            state.update(held=False, server="", without=False, asked=[])
            arguments["lease_holder"] = state["holder"]
        if held and not self._task.check_mode:
            try:
                answer = self._module(arguments, task_vars)
            except AnsibleError as error:
                answer = {"msg": "not given back, it counts as abandoned after its time: %s" % error}
            result["lease"] = answer.get("lease") or answer.get("msg")
        return result

    def _module(self, arguments: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        answer = answer_of(
            self._execute_module(
                module_name="k3sfleet.registries.k3s_rollout",
                module_args={
                    key: value for key, value in arguments.items() if key not in _CONTROLLER_ONLY and value is not None
                },
                task_vars=task_vars,
            )
        )
        try:
            conform(answer, ROLLED, "the node's answer")
        except OddAnswer as odd:
            return {"failed": True, "changed": True, "step": "not known", "msg": "k3s_rollout: %s" % odd}
        return answer

    def _quietly(self, arguments: dict[str, Any], task_vars: Any) -> None:
        """For the keeper, which must not talk to a main process that may be gone."""
        if hasattr(display, "_final_q"):
            display._final_q = None
        self._module(arguments, task_vars)


def _show(line: str) -> None:
    """Print a line of the run's. Nodes and whoever holds the Lease have chosen words of it."""
    display.display(visible(line))


def _server_group(arguments: dict[str, Any]) -> str:
    return str(arguments.get("cluster") or "server").partition("/")[0]


def _still_held(ledger: Ledger) -> bool:
    try:
        with ledger.opened() as state:
            return bool(state["held"])
    except OSError:
        # Ansible has removed its temporary folder: the run has ended.
        return False


def _identity(controller: int) -> str:
    """Names this run to others: the AWX job or the user, the controller, the process, and a part no other run has."""
    job = os.environ.get("JOB_ID") or os.environ.get("AWX_JOB_ID")
    who = "AWX job %s" % job if job else getpass.getuser()
    return "%s on %s, process %d (%s)" % (who, socket.gethostname(), controller, uuid.uuid4().hex[:8])
