# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of k3s_rollout_lease: one host asks for its cluster, waits for a dead run, keeps the Lease."""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from typing import Any, Mapping

from ansible.errors import AnsibleError
from ansible.utils.display import Display
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import lease as names
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import LEASE_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import cluster_groups, ledger_of, show
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.node_action import NodeAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import LEASED
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import (
    lease_keeper,
    patience,
    plan,
    pull_secrets,
    restart_order_and_limits,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import Lease

_CONTROLLER_ONLY = ("max_failures", "force", "cluster")
_NO_SERVERS = (
    "the inventory has no host in the group %r, through which the cluster's lease is taken. If AWX has cut the "
    "inventory into slices, set the job template's job slicing to 1 (the role works on all nodes at once by itself); "
    "to reach agents only, keep the servers in the inventory and use --limit"
)

display = Display()


class ActionModule(NodeAction):
    _spec = LEASE_ARGUMENTS

    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        result.update(
            changed=False, lease=names.NOT_HELD, server="", previous="", renewed="", expires_in=0, waits_for=[]
        )
        ledger = ledger_of(arguments)
        # Under the free strategies run_once does not hold; the first host takes the Lease for all.
        with ledger.exclusively("lease"):
            if arguments["state"] == "held":
                self._hold(ledger, arguments, result, task_vars)
                self._join(ledger, result, str(task_vars.get("inventory_hostname", "")))
            else:
                self._release(ledger, arguments, result, task_vars)
        return result

    def _hold(self, ledger: Ledger, arguments: dict[str, Any], result: dict[str, Any], task_vars: Any) -> None:
        """Have the cluster's Lease. Every host of the run may ask; the first of its cluster takes it for all."""
        server = str(self._task.delegate_to or task_vars.get("inventory_hostname", ""))
        with ledger.opened() as run:
            lease = run.lease
            if lease.held or lease.without:
                result.update(lease=names.HELD if lease.held else names.NOT_HELD, server=lease.server)
                return
            if restart_order_and_limits.halted(run, arguments["max_failures"], arguments["force"]):
                # No host will begin: each says why when its turn comes.
                return
            if lease.refusal:
                result.update(failed=True, msg=lease.refusal)
                return
            if server in lease.asked:
                result["lease"] = names.ELSEWHERE
                return
            controller = run.controller or os.getppid()
            arguments["holder"] = lease.holder = lease.holder or _identity(controller)
            arguments["pull_secrets"] = pull_secrets.are_needed(run)
        if self._task.check_mode:
            result["lease"] = "would_be_taken"
            self._judge(ledger, self._ask_only(arguments, task_vars))
            return
        server_group = cluster_groups(arguments["cluster"])[0]
        servers = (task_vars.get("groups") or {}).get(server_group) or []
        if not servers:
            self._without_lease(ledger, {"msg": _NO_SERVERS % server_group}, arguments["force"], result)
            return
        if not lease_keeper.lives(controller):
            result.update(failed=True, msg="nothing was restarted: the run that asked for it has ended")
            return
        try:
            answer = patience.outwait(lambda: self._module(arguments, task_vars), show)
        except AnsibleError as error:
            answer = {"failed": True, "lease": names.UNAVAILABLE, "msg": "%s cannot be reached: %s" % (server, error)}
        if answer.get("failed"):
            with ledger.opened() as run:
                run.lease.asked.append(server)
                left = set(servers) - set(run.lease.asked)
            if answer.get("lease") == names.UNAVAILABLE and left:
                show("The lease cannot be taken through %s: %s" % (server, answer.get("msg")))
                result["lease"] = names.ELSEWHERE
                return
            self._without_lease(ledger, answer, arguments["force"], result)
            return
        with ledger.opened() as run:
            run.lease.held, run.lease.server = True, server
        self._judge(ledger, answer.pop("pull_secrets", None))
        result.update(answer, server=server)
        # The keeper renews the Lease, and asks nothing else.
        arguments = dict(arguments, pull_secrets=False)
        lease_keeper.leave_behind(
            controller,
            wanted=lambda: _still_held(ledger),
            renew=lambda: self._quietly(dict(arguments, state="held"), task_vars),
            give_back=lambda: self._quietly(dict(arguments, state="released"), task_vars),
        )

    def _ask_only(self, arguments: dict[str, Any], task_vars: Any) -> dict[str, Any] | None:
        """What a server knows of those who bring credentials of their own, in check mode."""
        if not arguments["pull_secrets"]:
            return None
        try:
            answer = self._module(arguments, task_vars)
        except AnsibleError as error:
            return {"error": str(error), "found": []}
        found: dict[str, Any] = answer.get("pull_secrets") or {}
        return found or {"error": str(answer.get("msg") or "no answer"), "found": []}

    @staticmethod
    def _judge(ledger: Ledger, said: dict[str, Any] | None) -> None:
        """Have the hosts restart whose pods bring credentials of their own, or all where nobody knows."""
        with ledger.opened() as run:
            run.pull_secrets = said or None
            pull_secrets.decide(run)

    @staticmethod
    def _join(ledger: Ledger, result: dict[str, Any], host: str) -> None:
        """Enter that this host is on its way to its commit."""
        with ledger.opened() as run:
            if host in run.hosts:
                run.hosts[host].ready = result["lease"] != names.ELSEWHERE and not result.get("failed")

    def _without_lease(self, ledger: Ledger, answer: dict[str, Any], force: bool, result: dict[str, Any]) -> None:
        """The Lease could not be taken: stop, unless that is what the run is about to mend or the operator insists."""
        reason = str(answer.get("msg") or "no reason given")
        with ledger.opened() as run:
            explained = answer.get("lease") != names.HELD_BY_ANOTHER and restart_order_and_limits.api_may_be_away(run)
            run.lease.without = explained or force
            run.pull_secrets = {"error": reason, "found": []}
            pull_secrets.decide(run)
            if not run.lease.without:
                run.lease.refusal = (
                    "nothing was restarted: %s. Wait for it or fix it, or go ahead with k3s_registries_force: true"
                    % reason
                )
                result.update({key: value for key, value in answer.items() if key in LEASED})
                result.update(failed=True, msg=run.lease.refusal)
                return
        why = "because the servers themselves are unhealthy" if explained else "because k3s_registries_force is set"
        result["warnings"] = ["Going on without the cluster's lease, %s: %s" % (why, reason)]

    def _release(self, ledger: Ledger, arguments: dict[str, Any], result: dict[str, Any], task_vars: Any) -> None:
        with ledger.opened() as run:
            held = run.lease.held
            result["waits_for"] = plan.to_come(run)
            if result["waits_for"]:
                # A free strategy: whoever ends last releases it. Should that host not come, the keeper does.
                result["lease"] = names.KEPT
                run.lease.releaser = ""
                return
            arguments["holder"] = run.lease.holder
            run.lease = Lease(holder=run.lease.holder)
        if held and not self._task.check_mode:
            try:
                answer = self._module(arguments, task_vars)
            except AnsibleError as error:
                answer = {"lease": names.UNAVAILABLE, "msg": str(error)}
            if answer.pop("failed", False) or answer["lease"] == names.UNAVAILABLE:
                answer["msg"] = "not released, it expires by itself: %s" % answer.get("msg")
            result.update(answer)

    def _module(self, arguments: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        try:
            return self._answer_of("k3s_rollout_lease", arguments, _CONTROLLER_ONLY, LEASED, task_vars)
        except OddAnswer as odd:
            return {"failed": True, "lease": names.UNAVAILABLE, "msg": "k3s_rollout_lease: %s" % odd}

    def _quietly(self, arguments: dict[str, Any], task_vars: Any) -> None:
        """For the keeper, which must not talk to a main process that may be gone."""
        if hasattr(display, "_final_q"):
            display._final_q = None
        self._module(arguments, task_vars)


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
