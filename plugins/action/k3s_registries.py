# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of k3s_registries: checks, renders, ships, and shows what changes without secrets."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import replace
from functools import partial
from typing import Any, Iterator, Mapping

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.utils.display import Display
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.contradictions import sentence
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import NodeFacts
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import (
    STAGE_ARGUMENTS,
    stated_paths,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import Unsafe
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import (
    Warned,
    answer_of,
    cluster_groups,
    controller_file,
    controller_path,
    ledger_of,
    plain,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import ASKED, STAGED
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._config_yaml.ask import ask
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.given import Given, GivenProblem, read
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes import only_files
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare import describe, provider_exchange
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.once import once
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.prepare import (
    Prepared,
    Settings,
    nothing,
    prepare,
    settings_only,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.providers import (
    ProviderProblem,
    prepare_providers,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.sources import SourceProblem
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import handed_on
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import ansible_run, questions, summary
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.arrivals import Arrival
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.rehearsing_action import (
    RehearsingAction,
    asks_while_staging,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.rollout_settings import canary_hosts, check
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.run import Host
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._settings import default_registry, emptiness, limits
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._short_way import checked_once
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._short_way.short_way_action import ShortWayAction

_SETTINGS = ("disable_default_endpoint", "embedded_registry", "system_default_registry")

_HOW = ("keep_generations", "live", "settle", "credential_store")

display = Display()


class ActionModule(ShortWayAction, RehearsingAction):
    _spec = STAGE_ARGUMENTS
    #: The files of the controller that hold programs of credential providers, by their checksums.
    _programs: Mapping[str, str]
    #: Whether this host was the last of its cluster, with nothing left to do.
    _summed_up = False

    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        began = time.time()
        if arguments["rehearse"] is not None:
            # A rehearsal puts nothing on the node.
            arguments["rancher_managed"] = "warn"
        if self._may_take_short_way(arguments):
            return self._by_the_short_way(arguments, result, task_vars, began)
        prepared, warnings = self._check(arguments, task_vars, {})
        hosts = task_vars.get("ansible_play_hosts") or []
        if self._task.run_once and not arguments["validate_only"] and len(hosts) > 1:
            raise AnsibleActionFail(
                "run_once: one of %d nodes would get the configuration and the others look done. Take run_once away; "
                "the role itself sees to the order. Nothing has been touched." % len(hosts)
            )
        if not self._enter_check(result, prepared, warnings):
            return result
        if arguments["validate_only"]:
            result["changed"] = False
            return result
        if (arguments["rehearse"] or {}).get("staged"):
            return self._ask_before_the_first(arguments, prepared.desired, result, task_vars)
        return self._on_the_node(arguments, prepared.desired, result, task_vars, began)

    @staticmethod
    def _enter_check(result: dict[str, Any], prepared: Prepared, warnings: list[str]) -> bool:
        """Enter what the check has found; whether the node may be asked."""
        result["findings"] = prepared.findings
        if prepared.errors:
            result.update(failed=True, changed=False, msg=describe.error_text(prepared.errors, prepared.warnings))
            return False
        warnings = [warning for warning in warnings if not Warned.of(warning)]
        if warnings:
            result["warnings"] = warnings
        return True

    def _by_the_short_way(
        self, arguments: dict[str, Any], result: dict[str, Any], task_vars: Mapping[str, Any], began: float
    ) -> dict[str, Any]:
        """Ask the node whether it has changed since it had everything, and stage it if it has, or if that cannot be
        told. For a node that has not, the configuration is only checked, once for all hosts with the same one."""
        parts, config = checked_once.parts(arguments, task_vars), arguments["config"]
        prepared: list[Prepared] = []

        def check() -> list[Any]:
            found, warnings = self._check(arguments, task_vars, {})
            prepared.append(found)
            if found.desired is None:
                raise checked_once.Mistakes(warnings)
            return [found.findings, warnings, list(found.desired.certificates)]

        def desired() -> Desired | None:
            if not prepared:
                check()
            return prepared[0].desired

        def told() -> Mapping[str, Any]:
            wanted = desired()
            return self._for_the_node(arguments, wanted)[0]

        try:
            findings, warnings, certificates = once(str(C.DEFAULT_LOCAL_TMP), parts, check)
        except checked_once.Mistakes as mistakes:
            findings, warnings, certificates = prepared[0].findings, mistakes.warnings, []
        if not self._enter_check(result, Prepared(findings), warnings):
            return result
        with self._counted_if_unreachable(arguments, task_vars, began):
            answer = self._short_answer(arguments, config, parts, told)
        if answer:
            return self._enter_answer(answer, arguments, None, certificates, result, task_vars, began)
        arguments = dict(arguments, snapshot=self._name_of_snapshot(parts, told))
        return self._on_the_node(arguments, desired(), result, task_vars, began)

    @contextlib.contextmanager
    def _counted_if_unreachable(
        self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any], began: float
    ) -> Iterator[None]:
        """Enter a node that cannot be reached, which raises an exception: it may be the last one."""
        try:
            yield
        except BaseException as problem:
            self._enter_lost(arguments, task_vars, began, problem)
            raise

    def _enter_lost(
        self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any], began: float, problem: BaseException | None
    ) -> None:
        """Enter a node that has given no answer, and whether it could not be reached."""
        unreachable = isinstance(problem, AnsibleConnectionFailure)
        self._arrive(arguments, task_vars, began, unreachable=unreachable)

    def checked(self, task_vars: Mapping[str, Any], of_the_role: Mapping[str, Any]) -> tuple[Prepared, list[str]]:
        """Check everything that the controller knows, without asking the node.

        :param of_the_role: the role's variables, whose limits are checked as well.
        :returns: what will be shipped or why it must not be, and warnings.
        :raises AnsibleActionFail: if anything but the configuration itself is wrong.
        """
        return self._check(self._checked_arguments(), task_vars, of_the_role)

    def _check(
        self, arguments: dict[str, Any], task_vars: Mapping[str, Any], of_the_role: Mapping[str, Any]
    ) -> tuple[Prepared, list[str]]:
        """The same for arguments that fit the specification, which are completed."""
        self._check_values(arguments, task_vars, of_the_role)
        if arguments["node_role"] == "both":
            self.refuse(arguments, task_vars)
            raise AnsibleActionFail(
                "the host is in both groups, %r and %r: a node is a server or an agent of its cluster. Take it out of "
                "one of them. Nothing has been touched." % cluster_groups(arguments["cluster"])
            )
        warnings = self._check_rollout(arguments, task_vars)
        prepared = self._prepare(arguments, task_vars)
        if prepared.errors:
            self.refuse(arguments, task_vars)
        not_rehearsed = self._not_rehearsed(arguments, prepared.desired, task_vars)
        if not_rehearsed:
            self.refuse(arguments, task_vars)
            raise AnsibleActionFail(not_rehearsed)
        return prepared, warnings + describe.finding_lines(prepared.warnings)

    def _on_the_node(
        self,
        arguments: dict[str, Any],
        desired: Desired | None,
        result: dict[str, Any],
        task_vars: Mapping[str, Any],
        began: float,
    ) -> dict[str, Any]:
        """The one remote call, and its answer without what is only for the diff."""
        node_arguments, secrets = self._for_the_node(arguments, desired)
        asks = asks_while_staging(arguments, desired)

        def execute(module_args: dict[str, Any]) -> dict[str, Any]:
            name, sent = "k3s_registries", module_args
            if asks:
                name, sent = "k3s_rollout", questions.with_staging(module_args, arguments["canary_images"])
            said = plain(
                self._execute_module(module_name="k3sfleet.registries." + name, module_args=sent, task_vars=task_vars)
            )
            # A seal is not text, and would not survive the cleaning.
            sealed = "unsure" in said or "foreign_providers" in said
            return said if sealed else answer_of(said, secrets)

        def execute_until_answered(module_args: dict[str, Any]) -> dict[str, Any]:
            return provider_exchange.answered(execute, module_args, desired, self._send_programs)

        answer: dict[str, Any] = {}
        try:
            answer = ask(execute_until_answered, node_arguments)
            conform(answer, {**STAGED, **ASKED}, "the node's answer")
        except OddAnswer as odd:
            # Use nothing of it; the node counts as failed.
            answer = {"failed": True, "changed": False, "msg": "k3s_registries: %s" % odd}
        finally:
            # An unreachable node, which raises an exception, counts too: it may be the last one.
            if arguments["stage"] and not answer:
                self._enter_lost(arguments, task_vars, began, sys.exc_info()[1])
            if arguments["rehearse"] is not None and not answer:
                self._end_rehearsal(arguments, questions.Said(problem="it cannot be reached"), task_vars)
        if arguments["rehearse"] is not None:
            self._rehearse(answer, arguments, desired, task_vars)
        elif answer.get("live") and answer.get("reach"):
            doubts = answer.pop("doubts", [questions.NOT_SAID])
            if doubts:
                answer.update(live=False, reach={}, reasons=questions.needs_restart(answer["reasons"], doubts))
        certificates = list(desired.certificates) if desired is not None else []
        return self._enter_answer(answer, arguments, desired, certificates, result, task_vars, began)

    def _enter_answer(
        self,
        answer: dict[str, Any],
        arguments: dict[str, Any],
        desired: Desired | None,
        certificates: list[dict[str, Any]],
        result: dict[str, Any],
        task_vars: Mapping[str, Any],
        began: float,
    ) -> dict[str, Any]:
        """Make the task's result from the node's answer, and tell the ledger."""
        if answer.get("contradictions"):
            answer["msg"] = self._contradicted(arguments, answer["contradictions"], task_vars)
        if answer.get("left_alone"):
            display.display(
                "%s: in neither of the groups %r and %r, and no K3s runs there: left alone"
                % (task_vars.get("inventory_hostname", ""), *cluster_groups(arguments["cluster"]))
            )
        before, after = answer.pop("before", ""), answer.pop("after", "")
        # The controller's about the configuration, and the node's about its release.
        warnings = [*result.get("warnings", []), *answer.pop("warnings", [])]
        result.update(answer)
        if warnings:
            result["warnings"] = warnings
        if not answer.get("failed"):
            result["certificates"] = certificates
            if self._task.diff and (answer.get("files") or before != after):
                file = stated_paths(arguments).registries_yaml
                result["diff"] = describe.diff(before, after, answer.get("files") or [], file)
        if arguments["stage"]:
            self._note(arguments, answer, self._kind(arguments, desired, answer), task_vars, began)
            if self._summed_up and not answer.get("failed"):
                # Ansible takes it from a result that has not failed. If others have, a task of its own hands it on.
                found = handed_on.of_rollouts(ledger_of(arguments), task_vars)
                result["ansible_stats"] = handed_on.stats("rollout", found)
        return result

    def _contradicted(
        self, arguments: dict[str, Any], contradictions: list[dict[str, Any]], task_vars: Mapping[str, Any]
    ) -> str:
        """How the node differs from what the inventory says."""
        host = str(task_vars.get("inventory_hostname", ""))
        said = "; ".join(sentence(item, *cluster_groups(arguments["cluster"])) for item in contradictions)
        if all(item["what"] == "rancher" for item in contradictions):
            return "%s: %s. Nothing on it has been touched." % (host, said)
        return "%s is not what the inventory says: %s. Nothing on it has been touched." % (host, said)

    def _check_values(
        self, arguments: dict[str, Any], task_vars: Mapping[str, Any], of_the_role: Mapping[str, Any]
    ) -> None:
        """Check what a specification cannot express, and read the configuration.

        :raises AnsibleActionFail: for values with which no run can succeed.
        """
        arguments["system_default_registry"] = arguments["system_default_registry"] or None
        found = limits.problems({"k3s_registries_keep_generations": arguments["keep_generations"], **of_the_role})
        if arguments["state"] == "present":
            settings = {key: arguments[key] for key in _SETTINGS}
            settings["credential_providers"] = arguments["credential_providers"] or None
            try:
                given = read(arguments["config"], _told_of_the_nodes(arguments))
            except GivenProblem as problem:
                found.insert(0, str(problem))
                given = Given(None, [])
            else:
                found.insert(0, emptiness.problem(given, settings))
            arguments["config"] = given
            found.append(default_registry.problem(arguments["system_default_registry"], arguments["distribution"]))
        found = [sentence for sentence in found if sentence]
        if found:
            self.refuse(arguments, task_vars)
            raise AnsibleActionFail("%s. Nothing has been touched." % "; ".join(found))
        arguments.pop("prepared")

    @staticmethod
    def refuse(arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> None:
        """Stop the other hosts, which any_errors_fatal does not do under the free strategies."""
        with ledger_of(arguments).opened() as run:
            run.refused = sorted({*run.refused, str(task_vars.get("inventory_hostname", ""))})

    def _prepare(self, arguments: dict[str, Any], task_vars: Any) -> Prepared:
        settings = Settings(**{key: arguments[key] for key in (*_SETTINGS, *_HOW)})
        try:
            paths = stated_paths(arguments)
            if arguments["state"] == "previous":
                # The node knows it: everything it needs is in the kept generation.
                return Prepared()
            if arguments["state"] == "absent":
                return Prepared(desired=nothing(settings))
            shared_folder = str(C.DEFAULT_LOCAL_TMP)
            find = partial(controller_path, self, task_vars=task_vars)
            providers = prepare_providers(arguments["credential_providers"], find, shared_folder)
            self._programs = providers.sources
            given: Given = arguments["config"]
            if not given.config and not given.errors:
                return Prepared(desired=replace(settings_only(settings), providers=providers.declared))
            read_file = partial(controller_file, self, task_vars=task_vars)
            prepared = prepare(given, settings, paths, read_file, shared_folder=shared_folder)
            if prepared.desired is not None:
                prepared.desired = replace(prepared.desired, providers=providers.declared)
            return prepared
        except (ProviderProblem, SourceProblem, Unsafe) as problem:
            raise AnsibleActionFail("%s. Nothing has been touched." % problem) from None

    def _send_programs(self, checksums: list[str]) -> dict[str, str]:
        """Bring programs of credential providers to the node; where each is there."""
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        folder = self._connection._shell.tmpdir
        sent = {sha256: self._connection._shell.join_path(folder, "program-" + sha256) for sha256 in checksums}
        for sha256, path in sent.items():
            self._transfer_file(self._programs[sha256], path)
        self._fixup_perms2([folder, *sent.values()])
        return sent

    def _check_rollout(self, arguments: dict[str, Any], task_vars: Any) -> list[str]:
        """What is to be said about the rollout's settings; a mistake in them stops the run before the first node."""
        if not arguments["rollout"]:
            return []
        found = check(arguments["rollout"], arguments["cluster"], task_vars)
        if found.errors:
            self.refuse(arguments, task_vars)
            raise AnsibleActionFail("%s. Nothing has been touched." % "; ".join(found.errors))
        return found.warnings

    def _arrive(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any], began: float, **found: Any) -> None:
        """Tell the run's ledger that this node has answered, or cannot. The last of its cluster says on which there was
        no K3s to restart, and sums the run up if nothing is left to do.

        :param found: fields of :class:`Arrival`.
        """
        cluster, groups = str(arguments["cluster"]), task_vars.get("groups") or {}
        rollout = arguments["rollout"] or {}
        arrival = Arrival(
            name=str(task_vars.get("inventory_hostname", "")),
            began=began,
            follows=rollout.get("follows", True),
            # Ansible's main process. A worker that has outlived it would see another parent and take that for the run.
            controller=os.getppid(),
            in_order=ansible_run.takes_hosts_in_order(self._task),
            canary=canary_hosts(rollout.get("canary", ""), groups),
            **found,
        )
        hosts = only_files.expected(cluster, task_vars.get("ansible_play_hosts") or (), groups)
        with ledger_of(arguments).entered(arrival, hosts) as run:
            if run is None:
                return
            said = only_files.line(run.arrived)
            if said:
                display.display("Cluster %s: %s" % (cluster, said))
            lines = summary.lines(run, cluster, task_vars, self._task.check_mode)
        self._summed_up = bool(lines)
        for line in lines:
            display.display(line)

    def _note(
        self,
        arguments: dict[str, Any],
        answer: dict[str, Any],
        kind: str,
        task_vars: Mapping[str, Any],
        began: float,
    ) -> None:
        """Tell the run's ledger what this host needs."""
        health, rollout = answer.get("health") or {}, arguments["rollout"] or {}
        failed, restart = bool(answer.get("failed")), bool(answer.get("restart"))
        contradictions = [item["what"] for item in answer.get("contradictions") or []]
        host = Host(
            role=str(answer.get("node_role") or arguments["node_role"]),
            restart=restart,
            live=bool(answer.get("live")),
            reasons=list(answer.get("reasons") or []),
            ill="" if health.get("healthy", True) else str(health.get("sentence") or "ill"),
            explained=bool(health.get("explained")),
            member=str(health.get("member") or ""),
            embedded_mirror=answer.get("embedded_mirror"),
            reach=dict(answer.get("reach") or {}),
            node_name=str(answer.get("node_name") or ""),
            changed=bool(answer.get("changed")),
            kind=kind,
        )
        self._arrive(
            arguments,
            task_vars,
            began,
            answered=True,
            host=None if failed else host,
            failed=str(answer.get("msg", "")) if failed else "",
            # It belongs to a cluster, but the inventory does not say to which, or it belongs to Rancher, as its
            # neighbours may, and so may their cluster: nothing restarts anywhere.
            refused=failed and not {"group", "rancher"}.isdisjoint(contradictions),
            goes_on=(restart and rollout.get("follows", True)) or bool(rollout.get("verifies")),
            service_state=str(answer.get("service_state") or ""),
        )


def _told_of_the_nodes(arguments: dict[str, Any]) -> NodeFacts:
    """What the variables say of the nodes. Left alone, the embedded registry may be on, and mirrors without endpoints
    then belong to it; switched on, where it listens is the servers' matter, and its usual address does for lint."""
    embedded = arguments["embedded_registry"]
    return NodeFacts(
        default_endpoint=not arguments["disable_default_endpoint"],
        embedded_mirror="127.0.0.1:6443" if embedded else "",
        embedded_unknown=embedded is None,
    )
