# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the action plugin k3s_registries that has nodes ask registries about a change before it is made."""

from __future__ import annotations

import time
from typing import Any, Mapping, Sequence

from ansible import constants as C
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import secrets_of_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.vocabulary import OTHER_PLACE, SAME_PLACE
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import (
    Warned,
    answer_of,
    ledger_of,
    plain,
    show,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.node_action import NodeAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes import only_files
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._prepare.candidate_digest import candidate_digest

from . import ansible_run, questions, rehearsal, rehearsal_words

CONTROLLER_ONLY = (
    "config", "validate_only", "disable_default_endpoint", "embedded_registry", "system_default_registry",
    "cluster", "canary_images", "keep_generations", "limits", "rollout", "credential_providers",
    "credential_store", "rehearse",
)  # fmt: skip

_NOT_REHEARSED = (
    "k3s_registries_rehearsed: the configuration for %s is not one that was rehearsed. Its digest is %s, and those of "
    "the rehearsal are %s. Rehearse it again, or leave the variable out. Nothing has been touched."
)


class RehearsingAction(NodeAction):
    """Nodes ask registries: where they are staged, before the first one is touched, or without anything to follow."""

    @staticmethod
    def _for_the_node(arguments: Mapping[str, Any], desired: Desired | None) -> tuple[dict[str, Any], Sequence[str]]:
        """What the node is told, and the secrets in it."""
        told = {key: value for key, value in arguments.items() if key not in CONTROLLER_ONLY and value is not None}
        if desired is not None:
            told["prepared"] = desired.text()
        return told, secrets_of_tables(desired.auth.values()) if desired is not None else ()

    def _rehearsed(
        self, arguments: Mapping[str, Any], desired: Desired | None, task_vars: Mapping[str, Any]
    ) -> questions.Said:
        """What the node finds if it rehearses."""
        told, secrets = self._for_the_node(arguments, desired)
        images = {key: value for key, value in arguments["rehearse"].items() if key not in ("staged", "whole")}

        def execute(sent: dict[str, Any]) -> dict[str, Any]:
            name = "k3sfleet.registries.k3s_rollout"
            return answer_of(self._execute_module(module_name=name, module_args=sent, task_vars=task_vars), secrets)

        return questions.rehearse(execute, told, images)

    def _pipelining_warnings(self) -> list[str]:
        if self._is_pipelining_enabled("new") or not Warned.first(rehearsal_words.NO_PIPELINING):
            return []
        return [rehearsal_words.NO_PIPELINING]

    def _ask_before_the_first(
        self,
        arguments: dict[str, Any],
        desired: Desired | None,
        result: dict[str, Any],
        task_vars: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Have a staged node ask registries whether it could still pull its images, before any node is touched, if it
        rehearses for those that are like it."""
        host, ledger = str(task_vars.get("inventory_hostname", "")), ledger_of(arguments)
        result["changed"] = False
        with ledger.place_of(host):
            with ledger.opened() as run:
                batch = plain(task_vars.get("ansible_play_batch") or [])
                rehearsal.choose(run, arguments["rollout"]["rehearse"], batch, host)
                rehearses = host in rehearsal.pending(run)
                lines = rehearsal_words.announcement(run, ansible_run.forks())
            for line in lines:
                show(line)
            if not rehearses:
                return result
            warnings = self._pipelining_warnings()
            if warnings:
                result["warnings"] = [*result.get("warnings", []), *warnings]
            began = time.time()
            said = self._rehearsed(arguments, desired, task_vars)
            with ledger.opened() as run:
                rehearsal.enter(run, host, said.rehearsal, said.problem)
                headline = (said.rehearsal or {}).get("headline", "")
                lines = [rehearsal_words.progress_line(run, host, headline, time.time() - began)]
                lines += rehearsal_words.result_lines(run)
        for line in lines:
            show(line)
        if said.rehearsal is not None:
            result["rehearsal"] = said.rehearsal
        return result

    def _rehearse(
        self,
        answer: dict[str, Any],
        arguments: Mapping[str, Any],
        desired: Desired | None,
        task_vars: Mapping[str, Any],
    ) -> None:
        """Have the node ask whether it could still pull what it uses, if anything changes; fail if it could not, or if
        there is no telling. The last of the play's hosts says what all of them have found."""
        host = str(task_vars.get("inventory_hostname", ""))
        if desired is not None:
            answer["candidate"] = candidate_digest(desired, str(C.DEFAULT_LOCAL_TMP))
        said = None
        if answer.get("failed"):
            said = questions.Said(problem=str(answer.get("msg") or "no reason given"))
        elif answer.get("left_alone") or not (answer.get("changed") or answer.get("restart")):
            show("%s: nothing changes, so nothing was rehearsed" % host)
        else:
            warnings = self._pipelining_warnings()
            if warnings:
                answer["warnings"] = [*answer.get("warnings", []), *warnings]
            said = self._rehearsed(arguments, desired, task_vars)
            if said.problem:
                answer.update(failed=True, msg="It could not be rehearsed on %s: %s" % (host, said.problem))
        # Nobody is to think that a rehearsal has changed a node.
        answer["changed"] = False
        found = said.rehearsal if said is not None else None
        if found is not None:
            answer["rehearsal"] = found
            show("%s: %s" % (host, found["headline"]))
            if found["stops"]:
                answer.update(failed=True, msg=rehearsal_words.lost_on_a_node(found["images"]))
        self._end_rehearsal(arguments, said, task_vars)
        if found is not None and found["stops"] and not arguments["rehearse"]["whole"]:
            # Ansible prints all of a result that fails.
            found["images"] = [item for item in found["images"] if item["verdict"] not in (SAME_PLACE, OTHER_PLACE)]

    @staticmethod
    def _end_rehearsal(arguments: Mapping[str, Any], said: questions.Said | None, task_vars: Mapping[str, Any]) -> None:
        """Enter what this host has found, None for nothing to ask; the last of its cluster says what all have found."""
        host, hosts = str(task_vars.get("inventory_hostname", "")), task_vars.get("ansible_play_hosts") or ()
        with ledger_of(arguments).opened() as run:
            if not run.rehearsal.chosen:
                cluster = only_files.expected(str(arguments["cluster"]), plain(hosts), task_vars.get("groups") or {})
                run.rehearsal.chosen = cluster
            if said is None:
                run.rehearsal.ended.append(host)
            else:
                rehearsal.enter(run, host, said.rehearsal, said.problem)
            lines = [*rehearsal_words.result_lines(run), *rehearsal_words.effect_lines(run)]
            lines = [] if rehearsal.pending(run) else lines
        for line in lines:
            show(line)

    @staticmethod
    def _kind(arguments: Mapping[str, Any], desired: Desired | None, answer: Mapping[str, Any]) -> str:
        """Equal for nodes of which one can rehearse for the others; "" for those on which there is nothing to."""
        rollout = arguments["rollout"] or {}
        rehearses = rollout.get("follows") and rollout.get("rehearse", rehearsal.NEVER) != rehearsal.NEVER
        if desired is None or not answer.get("restart") or not rehearses:
            return ""
        return "%s %s" % (candidate_digest(desired, str(C.DEFAULT_LOCAL_TMP)), answer.get("architecture") or "")

    @staticmethod
    def _not_rehearsed(arguments: Mapping[str, Any], desired: Desired | None, task_vars: Mapping[str, Any]) -> str:
        """Why this is another configuration than the one that somebody has seen rehearsed, and approved; "" if not."""
        rehearsed = (arguments["rollout"] or {}).get("rehearsed") or []
        if not rehearsed or desired is None:
            return ""
        digest = candidate_digest(desired, str(C.DEFAULT_LOCAL_TMP))
        host = str(task_vars.get("inventory_hostname", ""))
        return "" if digest in rehearsed else _NOT_REHEARSED % (host, digest, ", ".join(rehearsed))


def asks_while_staging(arguments: Mapping[str, Any], desired: Desired | None) -> bool:
    """Whether a node may have new credentials to try without a restart. Those of an earlier state, for which
    ``desired`` is None, only the node knows."""
    can = arguments["stage"] and arguments["live"] and arguments["rehearse"] is None
    return bool(can and (desired is None or desired.auth))
