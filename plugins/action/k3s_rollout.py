# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of k3s_rollout: shows the plan, waits for the host's turn, and tells how its commit ended."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any, Mapping

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import steps
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import ROLLOUT_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import ledger_of, plain, show
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.node_action import NodeAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import ROLLED
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import (
    ansible_run,
    lease_keeper,
    patience,
    plan,
    rehearsal_words,
    stop_after,
    summary,
    time_left,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.agents_at_once import (
    BatchProblem,
    batch_sizes,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.batches import Batches, pause_line
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.ledger import Ledger
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.restart_order_and_limits import (
    Asking,
    Turn,
    absent_before,
    ahead,
    decide,
    stopped,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import (
    COMMITTING,
    ENDED,
    LEFT,
    STAGED,
    STOPPED,
    WAITING,
    Host,
    Run,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.stop_after import StopAfter

_CONTROLLER_ONLY = (
    "staged", "max_failures", "agent_batch", "batch_pause", "stop_after", "makes_way", "cluster",
)  # fmt: skip
_RUN_HAS_ENDED = "left as it was, untouched: the run that asked for it has ended"
_NOTHING_DONE: dict[str, Any] = {
    "changed": False, "restarted": False, "live": False, "rolled_back": False, "untouched": False, "stopped": False,
    "made_way": False, "cordoned": False, "uncordoned": False, "step": steps.NOTHING_TO_DO, "seconds": 0.0,
    "health": "", "canaries": [], "differences": [], "diagnosis": {}, "kept": "", "waiting_for": [], "waited_for": [],
    "log": [],
}  # fmt: skip


class ActionModule(NodeAction):
    _spec = ROLLOUT_ARGUMENTS

    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        if arguments["quorum_timeout"] < 0:
            raise AnsibleActionFail(
                "quorum_timeout is %d, and has to be 0 or more seconds" % arguments["quorum_timeout"]
            )
        if arguments["batch_pause"] < 0:
            raise AnsibleActionFail("batch_pause is %d, and has to be 0 or more seconds" % arguments["batch_pause"])
        stop = self._stop(arguments)
        ledger = ledger_of(arguments)
        result.update(_NOTHING_DONE)
        if not arguments["staged"].get("restart"):
            return result
        asking = self._asking(ledger, arguments, task_vars)
        self._show_plan(ledger, asking, stop, cordon=arguments["cordon"])
        try:
            if self._task.check_mode and not self._is_refused(ledger, asking.host, result):
                result.update(changed=True, step=steps.WOULD_RESTART)
                self._note(ledger, asking, result)
            elif not self._task.check_mode:
                self._commit(ledger, asking, stop, arguments, result, task_vars)
                if result.get("untouched"):
                    self._is_refused(ledger, asking.host, result)
        finally:
            # If Ansible has removed its folder, the run has ended, and nobody reads a summary.
            with contextlib.suppress(FileNotFoundError), ledger.opened() as run:
                for line in summary.lines(run, arguments["cluster"], task_vars, self._task.check_mode):
                    show(line)
        return result

    @staticmethod
    def _is_refused(ledger: Ledger, host: str, result: dict[str, Any]) -> bool:
        """Whether the rehearsal stops the run, in check mode too; enter what it has found."""
        with ledger.opened() as run:
            if not rehearsal_words.why(run):
                return False
            run.hosts[host].progress = LEFT
            result.update(failed=True, untouched=True, step=steps.NOT_STARTED, msg=rehearsal_words.refusal(run, host))
        return True

    def _asking(self, ledger: Ledger, arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> Asking:
        agents = ansible_run.agents_of(arguments["cluster"], task_vars)
        try:
            sizes = batch_sizes(plain(arguments["agent_batch"]), len(agents) or _staged_agents(ledger))
        except BatchProblem as problem:
            raise AnsibleActionFail("agent_batch: %s. Nothing has been touched." % problem) from None
        return Asking(
            host=str(task_vars.get("inventory_hostname", "")),
            batch=plain(task_vars.get("ansible_play_batch") or []),
            in_order=ansible_run.takes_hosts_in_order(self._task),
            batches=Batches(sizes, arguments["batch_pause"]),
            max_failures=arguments["max_failures"],
            force=arguments["force"],
            makes_way=arguments["makes_way"],
            forks=ansible_run.forks(),
        )

    @staticmethod
    def _stop(arguments: Mapping[str, Any]) -> StopAfter:
        try:
            return stop_after.parse(arguments["stop_after"])
        except stop_after.StopProblem as problem:
            raise AnsibleActionFail("stop_after: %s. Nothing has been touched." % problem) from None

    def _show_plan(self, ledger: Ledger, asking: Asking, stop: StopAfter, cordon: bool) -> None:
        with ledger.opened() as run:
            if run.shown:
                return
            run.order = list(asking.batch)
            run.shown = True
            now = time.time()
            run.began = run.began or now
            at = stop_after.moment(stop, run.began, run.pace.first_restart)
            times = time_left.plan_lines(run, asking.batches, asking.forks, now)
            times += [line for line in [stop_after.plan_line(stop, at, now)] if line]
            for line in plan.plan_lines(run, asking.batches.words(asking.forks), times, cordon):
                show(line)

    def _commit(
        self,
        ledger: Ledger,
        asking: Asking,
        stop: StopAfter,
        arguments: dict[str, Any],
        result: dict[str, Any],
        task_vars: Any,
    ) -> None:
        with ledger.place_of(asking.host):
            turn = self._turn(ledger, asking, stop, arguments)
            if turn.later:
                result.update(made_way=True, step=steps.MADE_WAY)
                return
            if not turn.go:
                result.update(failed=True, untouched=True, stopped=turn.over, step=steps.NOT_STARTED, msg=turn.why)
                return
            try:
                result.update(self._restart(ledger, asking.host, arguments, task_vars))
            except AnsibleError as error:
                # The connection is gone; the node goes on by itself. Nobody knows yet how it ended.
                lost = dict(result, failed=True, step=steps.CONNECTION_LOST, msg=str(error))
                lost["unreachable"] = isinstance(error, AnsibleConnectionFailure)
                self._tell(self._note(ledger, asking, lost))
                raise
            self._tell(self._note(ledger, asking, result))

    @staticmethod
    def _tell(lines: list[str]) -> None:
        for line in lines:
            show(line)

    def _restart(self, ledger: Ledger, host: str, arguments: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        """The commit on the node. A node cannot print while it waits for other servers, so it says first for whom it
        would, and the person at the terminal is told before the call that does."""
        with ledger.opened() as run:
            arguments["hanging"] = plan.hanging(run)
            arguments["live"] = run.hosts[host].live
            if arguments["node_role"] != "server":
                arguments["embedded_mirror"] = plan.embedded_mirror(run)
        if arguments["node_role"] == "server" and arguments["quorum_timeout"] > 0:
            answer = self._module(dict(arguments, announce=True), task_vars)
            if not answer.get("waiting_for"):
                return answer
            show(plan.waiting_line(host, arguments["quorum_timeout"], answer["waiting_for"]))
        return self._module(arguments, task_vars)

    def _turn(self, ledger: Ledger, asking: Asking, stop: StopAfter, arguments: dict[str, Any]) -> Turn:
        """Wait for this host's turn, or for the end of all turns, and put it down in the ledger."""
        parent = os.getppid()
        for_absent = patience.Patience()

        def ask(run: Run) -> Turn | None:
            host = run.hosts.setdefault(asking.host, Host(role=arguments["node_role"]))
            host.progress = WAITING
            asks = asking._replace(now=time.time())
            run.pace.stop_at = stop_after.moment(stop, run.began or asks.now, run.pace.first_restart)
            absent = absent_before(run, asking)
            if for_absent.is_over(absent):
                asks = asks._replace(in_order=False)
            turn = decide(run, asks, ledger.others() if asking.makes_way else ())
            if turn and turn.go and absent:
                show("%s goes before %s, for which it has waited in vain" % (asking.host, ", ".join(absent)))
            if not lease_keeper.lives(run.controller or parent):
                # A worker outlives a killed controller; what it has not begun is the next run's.
                turn = Turn(False, _RUN_HAS_ENDED)
            if turn is not None and turn.later:
                host.progress, host.made_way = STAGED, host.made_way + 1
            elif turn is not None:
                if turn.go:
                    time_left.begin(run, asking.host, asking.batches, asking.forks, asks.now)
                host.progress = COMMITTING if turn.go else STOPPED if turn.over else LEFT
                arguments["lease_holder"] = run.lease.holder if run.lease.held else ""
            return turn

        try:
            return ledger.first_answer(ask, lambda run: ahead(run, asking.host))
        except FileNotFoundError:
            return Turn(False, _RUN_HAS_ENDED)

    def _note(self, ledger: Ledger, asking: Asking, result: dict[str, Any]) -> list[str]:
        """Enter how it ended on the host, and return what there is to say about it."""
        with ledger.opened() as run:
            noted = run.hosts.setdefault(asking.host, Host())
            noted.progress = ENDED
            noted.changed, noted.restarted = bool(result["changed"]), bool(result["restarted"])
            if result["step"] == steps.WOULD_RESTART:
                noted.restarted = not noted.live
            if result.get("failed"):
                run.failed[asking.host] = str(result.get("msg", ""))
            if result.get("unreachable"):
                run.unreachable = sorted({*run.unreachable, asking.host})
            now = time.time()
            if not self._task.check_mode:
                time_left.end(run, asking.host, now)
        # What is said of the run as it is now needs no lock any more.
        return [] if self._task.check_mode else _progress_lines(run, asking, now, result)

    def _module(self, arguments: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        try:
            return self._answer_of("k3s_rollout", arguments, _CONTROLLER_ONLY, ROLLED, task_vars)
        except OddAnswer as odd:
            return {"failed": True, "changed": True, "step": steps.UNKNOWN, "msg": "k3s_rollout: %s" % odd}


def _staged_agents(ledger: Ledger) -> int:
    with ledger.opened() as run:
        return sum(host.role == "agent" for host in run.hosts.values())


def _progress_lines(run: Run, asking: Asking, now: float, result: Mapping[str, Any]) -> list[str]:
    """How it ended, how long the rest takes, and whether a pause follows."""
    goes_on = not stopped(run, asking.max_failures, asking.force)
    left = time_left.words(run, asking.batches, asking.forks, now) if goes_on else ""
    lines = [", ".join(part for part in (plan.progress_line(run, asking.host, result), left) if part)]
    agents = [host for host in plan.to_come(run) if plan.phase(run, host) == plan.AGENTS]
    pause = pause_line(run, asking.batches, len(agents)) if goes_on else ""
    return [*lines, "%s %s" % (plan.count(run), pause)] if pause else lines
