# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of k3s_rollout: waits for the host's turn, tells how it ended, and has the cluster's Lease."""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.utils.display import Display
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import ROLLOUT_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import answer_of, ledger_of, plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.node_action import NodeAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import ROLLED
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import (
    ansible_run,
    keeper,
    patience,
    plan,
    turns,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.batch import BatchProblem, batch_size
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import (
    COMMITTING,
    ENDED,
    LEFT,
    STAGED,
    WAITING,
    Host,
    Lease,
    Run,
)

_CONTROLLER_ONLY = ("staged", "max_failures", "agent_batch", "canary_hosts", "makes_way", "cluster")
_NO_SERVERS = (
    "the inventory has no host in the group %r, through which the cluster's lease is taken. Where AWX has cut the "
    "inventory into slices, set the job template's job slicing to 1 (the role works on all nodes at once by itself); "
    "to reach agents only, keep the servers in the inventory and use --limit"
)
_RUN_HAS_ENDED = "left as it was, untouched: the run that asked for it has ended"

display = Display()


class ActionModule(NodeAction):
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        _validated, arguments = self.validate_argument_spec(argument_spec=ROLLOUT_ARGUMENTS)
        arguments = plain(arguments)
        if arguments["quorum_timeout"] < 0:
            raise AnsibleActionFail(
                "quorum_timeout is %d, and has to be 0 or more seconds" % arguments["quorum_timeout"]
            )
        ledger = ledger_of(arguments)
        result["changed"] = False
        if arguments["operation"] == "hold":
            # Under the free strategies run_once does not hold; the first host takes the Lease for all.
            with ledger.exclusively("lease"):
                self._hold(ledger, arguments, result, task_vars)
            return self._with_phase(ledger, arguments, result, task_vars)
        if arguments["operation"] == "release":
            with ledger.exclusively("lease"):
                return self._release(ledger, arguments, result, task_vars)
        result.update(restarted=False, rolled_back=False, untouched=False, made_way=False, step="nothing to do")
        if not arguments["staged"].get("restart"):
            return result
        asking = self._asking(ledger, arguments, task_vars or {})
        self._show_plan(ledger, asking)
        if self._task.check_mode:
            result.update(changed=True, step="would restart %s" % arguments["staged"].get("service"))
            return result
        return self._commit(ledger, asking, arguments, result, task_vars)

    def _asking(self, ledger: Ledger, arguments: dict[str, Any], task_vars: dict[str, Any]) -> turns.Asking:
        agents = ansible_run.agents_of(arguments["cluster"], task_vars)
        try:
            at_once = batch_size(arguments["agent_batch"], len(agents) or _staged_agents(ledger))
        except BatchProblem as problem:
            raise AnsibleActionFail("agent_batch: %s. Nothing has been touched." % problem) from None
        return turns.Asking(
            host=str(task_vars.get("inventory_hostname", "")),
            batch=plain(task_vars.get("ansible_play_batch") or []),
            in_order=ansible_run.takes_hosts_in_order(self._task),
            agents_at_once=min(at_once, ansible_run.forks()),
            max_failures=arguments["max_failures"],
            force=arguments["force"],
            makes_way=arguments["makes_way"],
            forks=ansible_run.forks(),
        )

    def _show_plan(self, ledger: Ledger, asking: turns.Asking) -> None:
        with ledger.opened() as run:
            if run.shown:
                return
            run.order = list(asking.batch)
            run.shown = True
            for line in plan.plan_lines(run, asking.agents_at_once):
                _show(line)

    def _commit(
        self, ledger: Ledger, asking: turns.Asking, arguments: dict[str, Any], result: dict[str, Any], task_vars: Any
    ) -> dict[str, Any]:
        with ledger.place_of(asking.host):
            turn = self._turn(ledger, asking, arguments)
            if turn.later:
                result.update(made_way=True, step="made way for another cluster")
                return result
            if not turn.go:
                result.update(failed=True, untouched=True, step="not started", msg=turn.why)
                return result
            try:
                answer = self._restart(ledger, asking.host, arguments, task_vars)
            except AnsibleError as error:
                # The connection is gone; the node goes on by itself. Nobody knows yet how it ended.
                self._ended(ledger, asking.host, dict(result, failed=True, step="connection lost", msg=str(error)))
                raise
            result.update(answer)
            self._ended(ledger, asking.host, result)
        return result

    def _restart(self, ledger: Ledger, host: str, arguments: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        """The commit on the node. A node cannot print while it waits for other servers, so it says first for whom it
        would, and the person at the terminal is told before the call that does."""
        with ledger.opened() as run:
            arguments["hanging"] = plan.hanging(run)
            if arguments["node_role"] != "server":
                arguments["embedded_mirror"] = plan.embedded_mirror(run)
        if arguments["node_role"] == "server" and arguments["quorum_timeout"] > 0:
            answer = self._module(dict(arguments, announce=True), task_vars)
            if not answer.get("waiting_for"):
                return answer
            _show(plan.waiting_line(host, arguments["quorum_timeout"], answer["waiting_for"]))
        return self._module(arguments, task_vars)

    def _turn(self, ledger: Ledger, asking: turns.Asking, arguments: dict[str, Any]) -> turns.Turn:
        """Wait for this host's turn, or for the end of all turns, and put it down in the ledger."""
        parent = os.getppid()
        for_absent = patience.Patience()

        def ask(run: Run) -> turns.Turn | None:
            host = run.hosts.setdefault(asking.host, Host(role=arguments["node_role"]))
            host.progress = WAITING
            asks = asking
            absent = turns.absent_before(run, asking)
            if for_absent.is_over(absent):
                asks = asking._replace(in_order=False)
            turn = turns.turn(run, asks, ledger.others() if asking.makes_way else ())
            if turn and turn.go and absent:
                _show("%s goes before %s, for which it has waited in vain" % (asking.host, ", ".join(absent)))
            if not keeper.lives(run.controller or parent):
                # A worker outlives a killed controller; what it has not begun is the next run's.
                turn = turns.Turn(False, _RUN_HAS_ENDED)
            if turn is not None and turn.later:
                host.progress, host.made_way = STAGED, host.made_way + 1
            elif turn is not None:
                host.progress = COMMITTING if turn.go else LEFT
                arguments["lease_holder"] = run.lease.holder if run.lease.held else ""
            return turn

        try:
            return ledger.first_answer(ask)
        except FileNotFoundError:
            return turns.Turn(False, _RUN_HAS_ENDED)

    def _ended(self, ledger: Ledger, host: str, result: dict[str, Any]) -> None:
        """Tell the ledger and the person at the terminal how it ended on ``host``."""
        with ledger.opened() as run:
            run.hosts[host].progress = ENDED
            if result.get("failed") or result.get("unreachable"):
                run.failed[host] = str(result.get("msg", ""))
            _show(plan.progress_line(run, host, result))

    def _with_phase(
        self, ledger: Ledger, arguments: dict[str, Any], result: dict[str, Any], task_vars: Any
    ) -> dict[str, Any]:
        """Say when this host's turn comes, and that it is on its way there."""
        host = str((task_vars or {}).get("inventory_hostname", ""))
        with ledger.opened() as run:
            run.canary = arguments["canary_hosts"]
            if host in run.hosts:
                result["phase"] = plan.phase(run, host)
                result["clusters"] = 1 + sum(bool(plan.to_come(other)) for other in ledger.others())
                run.hosts[host].ready = result.get("lease") != "elsewhere" and not result.get("failed")
        return result

    def _hold(self, ledger: Ledger, arguments: dict[str, Any], result: dict[str, Any], task_vars: Any) -> None:
        """Have the cluster's Lease. Every host of the run asks; the first of its cluster takes it for all."""
        server = str(self._task.delegate_to or (task_vars or {}).get("inventory_hostname", ""))
        with ledger.opened() as run:
            lease = run.lease
            if lease.held or lease.without:
                result.update(lease="held" if lease.held else "not held", lease_server=lease.server)
                return
            if turns.halted(run, arguments["max_failures"], arguments["force"]):
                # No host will begin: each says why when its turn comes.
                result.update(lease="not held", lease_server="")
                return
            if lease.refusal:
                result.update(failed=True, msg=lease.refusal)
                return
            if server in lease.asked:
                result["lease"] = "elsewhere"
                return
            controller = run.controller or os.getppid()
            arguments["lease_holder"] = lease.holder = lease.holder or _identity(controller)
        if self._task.check_mode:
            result["lease"] = "would be taken"
            return
        servers = ((task_vars or {}).get("groups") or {}).get(_server_group(arguments)) or []
        if not servers:
            no_servers = {"msg": _NO_SERVERS % _server_group(arguments)}
            self._without_lease(ledger, no_servers, arguments["force"], result)
            return
        if not keeper.lives(controller):
            result.update(failed=True, msg="nothing was restarted: the run that asked for it has ended")
            return
        try:
            answer = patience.outwait(lambda: self._module(arguments, task_vars), _show)
        except AnsibleError as error:
            answer = {"failed": True, "lease": "unavailable", "msg": "%s cannot be reached: %s" % (server, error)}
        if answer.get("failed"):
            with ledger.opened() as run:
                run.lease.asked.append(server)
                left = set(servers) - set(run.lease.asked)
            if answer.get("lease") == "unavailable" and left:
                _show("The lease cannot be taken through %s: %s" % (server, answer.get("msg")))
                result["lease"] = "elsewhere"
                return
            self._without_lease(ledger, answer, arguments["force"], result)
            return
        with ledger.opened() as run:
            run.lease.held, run.lease.server = True, server
        result.update(answer, lease_server=server)
        keeper.leave_behind(
            controller,
            wanted=lambda: _still_held(ledger),
            renew=lambda: self._quietly(dict(arguments, operation="hold"), task_vars),
            give_back=lambda: self._quietly(dict(arguments, operation="release"), task_vars),
        )

    def _without_lease(self, ledger: Ledger, answer: dict[str, Any], force: bool, result: dict[str, Any]) -> None:
        """The Lease could not be taken: stop, unless that is what the run is about to mend or the operator insists."""
        reason = str(answer.get("msg") or "no reason given")
        with ledger.opened() as run:
            explained = answer.get("lease") != "held" and turns.api_may_be_away(run)
            run.lease.without = explained or force
            if not run.lease.without:
                run.lease.refusal = (
                    "nothing was restarted: %s. Wait for it or fix it, or go ahead with k3s_registries_force: true"
                    % reason
                )
                result.update(failed=True, msg=run.lease.refusal)
                return
        why = "because the servers themselves are unhealthy" if explained else "because k3s_registries_force is set"
        result.update(lease="not held", warnings=["Going on without the cluster's lease, %s: %s" % (why, reason)])

    def _release(
        self, ledger: Ledger, arguments: dict[str, Any], result: dict[str, Any], task_vars: Any
    ) -> dict[str, Any]:
        with ledger.opened() as run:
            held = run.lease.held
            waiting = plan.to_come(run)
            if waiting:
                # A free strategy: whoever ends last gives it back. Should that host not come, the keeper does.
                result["lease"] = "kept for " + ", ".join(waiting)
                return result
            arguments["lease_holder"] = run.lease.holder
            run.lease = Lease(holder=run.lease.holder)
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


def _staged_agents(ledger: Ledger) -> int:
    with ledger.opened() as run:
        return sum(host.role == "agent" for host in run.hosts.values())


def _show(line: str) -> None:
    """Print a line of the run's. Nodes and whoever holds the Lease have chosen words of it."""
    display.display(visible(line))


def _server_group(arguments: dict[str, Any]) -> str:
    return str(arguments.get("cluster") or "server").partition("/")[0]


def _still_held(ledger: Ledger) -> bool:
    try:
        with ledger.opened() as run:
            return run.lease.held
    except OSError:
        # Ansible has removed its temporary folder: the run has ended.
        return False


def _identity(controller: int) -> str:
    """Names this run to others: the AWX job or the user, the controller, the process, and a part no other run has."""
    job = os.environ.get("JOB_ID") or os.environ.get("AWX_JOB_ID")
    who = "AWX job %s" % job if job else getpass.getuser()
    return "%s on %s, process %d (%s)" % (who, socket.gethostname(), controller, uuid.uuid4().hex[:8])
