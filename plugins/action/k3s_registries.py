# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of k3s_registries: checks, renders, ships, and shows what changes without secrets."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import STAGE_ARGUMENTS, paths_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import Unsafe
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import controller_file, ledger_of, plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare import describe
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.prepare import (
    Prepared,
    Settings,
    nothing,
    prepare,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.sources import SourceProblem

_CONTROLLER_ONLY = (
    "config", "validate_only", "disable_default_endpoint", "embedded_registry", "system_default_registry",
    "cluster", "keep_generations",
)  # fmt: skip


class ActionModule(ActionBase):  # type: ignore[misc]
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = self._arguments()
        hosts = (task_vars or {}).get("ansible_play_hosts") or []
        if self._task.run_once and not arguments["validate_only"] and len(hosts) > 1:
            raise AnsibleActionFail(
                "run_once: one of %d nodes would get the configuration and the others look done. Take run_once away; "
                "the role itself sees to the order. Nothing has been touched." % len(hosts)
            )
        prepared = self._prepare(arguments, task_vars)
        result["findings"] = prepared.findings
        if prepared.errors:
            # Where the strategy lets hosts run on by themselves, any_errors_fatal does not stop the others.
            with ledger_of(arguments).opened() as state:
                state["refused"][str((task_vars or {}).get("inventory_hostname", ""))] = True
            result.update(failed=True, changed=False, msg=describe.error_text(prepared.errors, prepared.warnings))
            return result
        if prepared.warnings:
            result["warnings"] = describe.finding_lines(prepared.warnings)
        if arguments["validate_only"]:
            result["changed"] = False
            return result

        return self._on_the_node(arguments, prepared.desired, result, task_vars)

    def _on_the_node(
        self, arguments: dict[str, Any], desired: Desired | None, result: dict[str, Any], task_vars: Any
    ) -> dict[str, Any]:
        """The one remote call, and its answer without what is only for the diff."""
        node_arguments = {
            key: value for key, value in arguments.items() if key not in _CONTROLLER_ONLY and value is not None
        }
        if desired is not None:
            node_arguments["prepared"] = desired.text()
        answer = self._execute_module(
            module_name="k3sfleet.registries.k3s_registries", module_args=node_arguments, task_vars=task_vars
        )
        before, after = answer.pop("before", ""), answer.pop("after", "")
        # Those of the controller about the configuration, and the node's own about its release.
        warnings = [*result.get("warnings", []), *answer.pop("warnings", [])]
        result.update(answer)
        if warnings:
            result["warnings"] = warnings
        if not answer.get("failed"):
            result["certificates"] = list(desired.certificates) if desired is not None else []
            if self._task.diff and (answer.get("files") or before != after):
                file = paths_of(arguments).registries_yaml
                result["diff"] = describe.diff(before, after, answer.get("files") or [], file)
        if arguments["stage"]:
            self._note(arguments, answer, task_vars or {})
        return result

    def _arguments(self) -> dict[str, Any]:
        """The task's arguments, checked and converted by the module's own specification."""
        _validated, arguments = self.validate_argument_spec(argument_spec=STAGE_ARGUMENTS)
        converted: dict[str, Any] = plain(arguments)
        if converted["state"] == "present" and converted["config"] is None:
            raise AnsibleActionFail("config is required with state: present (the content of registries.yaml)")
        settings = ("disable_default_endpoint", "embedded_registry", "system_default_registry")
        nothing_set = not converted["config"] and all(converted[key] is None for key in settings)
        if converted["state"] == "present" and nothing_set:
            # A forgotten variable must not empty the registries.yaml of a whole fleet.
            raise AnsibleActionFail(
                "k3s_registries is empty: give it the content of registries.yaml, or take the registries away with "
                "state: absent. Nothing has been touched."
            )
        if converted["keep_generations"] < 1:
            raise AnsibleActionFail(
                "k3s_registries_keep_generations is %d: at least 1 is needed, or a node could not be put back as it "
                "was. Nothing has been touched." % converted["keep_generations"]
            )
        converted.pop("prepared")
        return converted

    def _prepare(self, arguments: dict[str, Any], task_vars: Any) -> Prepared:
        settings = Settings(
            disable_default_endpoint=arguments["disable_default_endpoint"],
            embedded_registry=arguments["embedded_registry"],
            system_default_registry=arguments["system_default_registry"] or None,
            keep_generations=arguments["keep_generations"],
            live=arguments["live"],
        )
        try:
            paths = paths_of(arguments)
            if arguments["state"] == "previous":
                # The node knows it: everything it needs is in the kept generation.
                return Prepared()
            if arguments["state"] == "absent":
                return Prepared(desired=nothing(settings, paths))
            read_file = partial(controller_file, self, task_vars=task_vars)
            return prepare(arguments["config"], settings, paths, read_file, shared_folder=str(C.DEFAULT_LOCAL_TMP))
        except (SourceProblem, Unsafe) as problem:
            raise AnsibleActionFail("%s. Nothing has been touched." % problem) from None

    def _note(self, arguments: dict[str, Any], answer: dict[str, Any], task_vars: dict[str, Any]) -> None:
        """Tell the run's ledger what this host needs."""
        host = str(task_vars.get("inventory_hostname", ""))
        hosts = task_vars.get("ansible_play_hosts_all") or []
        with ledger_of(arguments).opened() as state:
            # Ansible's main process. A worker that has outlived it would see another parent and take that for the run.
            state["controller"] = state["controller"] or os.getppid()
            state.update(shown=False, refusal="", asked=[])
            state["refused"].pop(host, None)
            if answer.get("failed"):
                state["staged"].pop(host, None)
                state["failed"][host] = str(answer.get("msg", ""))
                return
            state["staged"][host] = {
                "role": arguments["node_role"],
                "position": hosts.index(host) if host in hosts else 0,
                "restart": bool(answer.get("restart")),
                "live": bool(answer.get("live")),
                "reasons": list(answer.get("reasons") or []),
                "health": dict(answer.get("health") or {}),
            }
