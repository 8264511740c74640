# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what was found on a whole fleet: the table of a verification, its failing pulls by cause, what an upgrade
does to its registries, or what a change means for pulls."""

from __future__ import annotations

import os
from typing import Any, Mapping

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import ledger_of, plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.checked_action import ControllerAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.of_each_host import of_each_host
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import outcome
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import shortened
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import files
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import diagnosed
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.handed_on import (
    in_awx,
    of_document,
    of_hosts,
    of_rollouts,
    stats,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.approval import for_the_approval
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._upgrade.words import conclusion
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify import failing, kept
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.table import table
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.verified import not_examined, verification

ARGUMENTS: dict[str, dict[str, Any]] = {
    "of": {"type": "str", "required": True, "choices": ["verify", "diagnose", "upgrade_check", "rehearse", "rollout"]},
    "registered": {"type": "str", "default": ""},
    "path": {"type": "path", "default": ""},
    "mode": {"type": "str", "default": "0600"},
    "groups": {"type": "dict", "default": {}},
}

display = Display()


class ActionModule(ControllerAction):
    _spec = ARGUMENTS

    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        if arguments["of"] == "rollout":
            of_all = of_rollouts(ledger_of({}), task_vars)
            return {**result, "changed": False, "ansible_stats": stats("rollout", of_all)}
        answers = of_each_host(task_vars, arguments["registered"])
        if arguments["of"] == "upgrade_check":
            return self._of_an_upgrade(result, _each(answers, "upgrade"), task_vars)
        if arguments["of"] == "rehearse":
            lines = for_the_approval(answers)
            # The nodes' own tasks have printed it.
            return {**result, "changed": False, "lines": lines, "headline": lines[0], "nodes": []}
        if arguments["of"] == "verify" and not answers:
            # A mistake in the variables has stopped the play before the first node was asked.
            refused = of_hosts(dict.fromkeys(plain(task_vars.get("ansible_play_hosts_all") or []), outcome.REFUSED))
            return {**result, "changed": False, "lines": [], "ansible_stats": stats("verify", refused)}
        if arguments["of"] == "verify":
            verdicts = list(_each(answers, "verdict").values())
            lines = table(verdicts)
            failed = sorted(str(item["host"]) for item in verdicts if not item["ok"])
        else:
            asked = {host: answer for host, answer in answers.items() if "info" in answer}
            found = failing.examined({host: asked[host].get("diagnosis") for host in asked}, _each(asked, "info"))
            lines = failing.lines(found)
            failed = sorted({name for group in found.groups for name in group.nodes})
            if found.none:
                result.update(failed=True, msg=lines[-1])
        # One call: in AWX, where every line printed is an event of its own, they stay together.
        display.display("\n" + "\n".join(lines))
        result.update(changed=False, lines=lines, headline=lines[-1], nodes=failed)
        handed = self._handed_on(result, arguments, answers, task_vars)
        result["ansible_stats"] = stats(arguments["of"], {**handed, "headline": lines[-1], "lines": lines})
        return result

    def _handed_on(
        self,
        result: dict[str, Any],
        arguments: Mapping[str, Any],
        answers: Mapping[str, Mapping[str, Any]],
        task_vars: Mapping[str, Any],
    ) -> dict[str, Any]:
        """What has come of the hosts, in AWX with the document; the document is written if that is wanted."""
        of, hosts = arguments["of"], plain(task_vars.get("ansible_play_hosts_all") or [])
        make = _verified if of == "verify" else _diagnosed
        if arguments["path"]:
            # After the table: if the file cannot be written, what was found is not lost.
            document = make(hosts, answers, arguments["groups"])
            self._write(result, arguments, document)
            return of_document(document, "k3s_registries_%s_file" % of, task_vars)
        found = of_hosts(_of_verdicts(hosts, answers) if of == "verify" else _of_diagnoses(hosts, answers))
        if not in_awx(task_vars):
            return found
        try:
            return of_document(make(hosts, answers, arguments["groups"]), "k3s_registries_%s_file" % of, task_vars)
        except AnsibleActionFail as problem:
            return {**found, "document": None, "document_left_out": str(problem)}

    def _write(self, result: dict[str, Any], arguments: Mapping[str, Any], document: Mapping[str, Any]) -> None:
        """Write what was found on every host of the play as JSON, as the report does."""
        path = os.path.abspath(arguments["path"])
        mode = files.mode_of(arguments["mode"])
        if not self._task.check_mode:
            files.write("the result", {path: files.as_json(document)}, mode)
            display.display("\nThe result of every node is in %s" % path)
        result.update(changed=True, json_path=path)

    @staticmethod
    def _of_an_upgrade(
        result: dict[str, Any], answers: Mapping[str, Any], task_vars: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Fail if something speaks against the upgrade, or if a node could not be asked."""
        found = conclusion(plain(task_vars.get("ansible_play_hosts_all") or []), answers)
        display.display("\n" + "\n".join([*found.lines, "", found.headline]))
        result.update(changed=False, lines=found.lines, headline=found.headline, nodes=[])
        if found.stops:
            result.update(failed=True, msg=found.headline)
        return result


def _of_verdicts(hosts: list[str], answers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The hosts' outcomes, as the document of the verification would have them."""
    found = dict.fromkeys(hosts, outcome.FAILED)
    for host, verdict in _each(answers, "verdict").items():
        passed = outcome.UNCHANGED if verdict["ok"] else outcome.FAILED
        found[host] = outcome.UNREACHABLE if verdict["state"] == "unreachable" else passed
    return found


def _of_diagnoses(hosts: list[str], answers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The same for a diagnosis."""
    found = dict.fromkeys(hosts, outcome.UNCHANGED)
    for host, answer in answers.items():
        asked = [answer.get("info", answer), answer.get("diagnosis") or {}]
        if any(part.get("failed") for part in asked):
            found[host] = outcome.FAILED
        if any(part.get("unreachable") for part in asked):
            found[host] = outcome.UNREACHABLE
    return found


def _each(answers: Mapping[str, Mapping[str, Any]], key: str) -> dict[str, Any]:
    """What the hosts have under a key, those without it left out."""
    return {host: answer[key] for host, answer in answers.items() if key in answer}


def _diagnosed(hosts: list[str], answers: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Any]) -> dict[str, Any]:
    # A task that has ended without any answer has failed before the first question.
    info = {host: answer.get("info", answer) for host, answer in answers.items()}
    return diagnosed(hosts, info, _each(answers, "diagnosis"), groups, files.now())


def _verified(hosts: list[str], answers: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Any]) -> dict[str, Any]:
    found, lost = {}, []
    for host, answer in answers.items():
        if "verdict" not in answer:
            found[host] = not_examined(host, str(answer.get("msg") or "no reason given"))
            continue
        try:
            found[host] = kept.read(str(C.DEFAULT_LOCAL_TMP), str(answer.get("kept") or ""))
        except (OSError, ValueError):
            lost.append(host)
    if lost:
        raise AnsibleActionFail(
            "the result cannot be written on the controller: what was found on %s could not be kept in Ansible's "
            "temporary folder %s. See whether that is full, and run this again" % (shortened(lost), C.DEFAULT_LOCAL_TMP)
        )
    return verification(hosts, found, groups, files.now())
