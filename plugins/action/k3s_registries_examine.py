# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a node everything about its registries in one task, and judges the answers if that is wanted.

Whatever goes wrong with one question is an answer like any other. A node takes one line of the run's output, however
many questions it is asked.
"""

from __future__ import annotations

import time
from typing import Any, Mapping

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import answer_of
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.node_action import NodeAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import INFO
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import verify_criteria
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.nodes import IDLE
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._metrics import exposition, metrics
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.handed_on import in_awx
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify import kept
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.row import Judged, judge, row_of
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.verified import not_examined, verified_host

ARGUMENTS: dict[str, dict[str, Any]] = {
    "node": {"type": "dict", "default": {}},
    "applied": {"type": "dict", "no_log": True},
    "probe": {"type": "dict"},
    "canary": {"type": "dict"},
    "diagnosis": {"type": "dict"},
    "rehearsal": {"type": "dict", "no_log": True},
    "verify": {
        "type": "dict",
        "options": {
            "managed": {"type": "bool", "default": False},
            "not_installed": {"type": "str", "choices": ["fail", "allow"], "default": "fail"},
            "keep": {"type": "bool", "default": False},
            "metrics_dir": {"type": "str", "default": ""},
        },
    },
}
_MODULES = {
    "info": "k3s_registries_info",
    "applied": "k3s_registries",
    "probe": "k3s_registry_probe",
    "canary": "k3s_canary_pull",
    "diagnosis": "k3s_pull_diagnosis",
    "rehearsal": "k3s_registries",
}
# Not a question: what verify writes on the node.
_WRITES = {"metrics": "k3s_registries_metrics"}
_WITH_ACTION_PLUGIN = ("info", "applied", "rehearsal")
_IN_CHECK_MODE = ("applied", "rehearsal")
_TOO_DEEP = "what its modules have answered is nested too deeply"


class ActionModule(NodeAction):
    _spec = ARGUMENTS

    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        answers = self._answers(arguments, task_vars)
        result["changed"] = bool(answers["canary"].get("changed"))
        for answer in answers.values():
            # Which Python runs modules there: Ansible has found it out, and need not for the next task.
            result.setdefault("ansible_facts", {}).update(answer.pop("ansible_facts", None) or {})
            result.setdefault("warnings", []).extend(answer.pop("warnings", None) or [])
        if arguments["verify"] is None:
            result["warnings"] += _of_rancher(_facts(answers["info"]))
            result.update(answers)
            return result
        # Without the answers: Ansible prints all of a result that fails.
        host = str(task_vars.get("inventory_hostname", ""))
        judged = _judged(host, answers, arguments["verify"])
        folder = arguments["verify"]["metrics_dir"]
        if folder and not self._task.check_mode and not answers["info"].get("unreachable"):
            judged = judged.with_findings(self._write_metrics(host, folder, answers, judged, task_vars))
        if arguments["verify"]["keep"] or in_awx(task_vars):
            result["kept"] = _keep(host, answers, judged)
        result["verdict"] = said = row_of(judged)
        if not said["ok"]:
            result.update(failed=True, msg="; ".join(said["failures"]))
        return result

    def _answers(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Every question to what was answered, {} if it was not asked."""
        found: dict[str, dict[str, Any]] = {question: {} for question in _MODULES}
        found["info"] = self._ask("info", arguments, task_vars)
        facts = _facts(found["info"])
        verifies = arguments["verify"] is not None
        if found["info"].get("unreachable") or (verifies and not facts):
            return found
        wanted = arguments["applied"] or {}
        says_something = wanted.get("config") or wanted.get("credential_providers")
        if says_something and wanted.get("state", "present") == "present":
            found["applied"] = self._ask("applied", arguments, task_vars)
        state, problems = facts.get("state"), facts.get("problems") or []
        contradicted = any(problem.get("code") == "contradiction" for problem in problems)
        if state in ("not_installed", "not_set_up") or (verifies and (state in IDLE or contradicted)):
            return found
        # For the explanation of pulls that fail.
        config = (facts.get("registries") or {}).get("config")
        more = {"config": config} if config else {}
        if arguments["probe"] is not None:
            found["probe"] = self._ask("probe", arguments, task_vars)
        if (arguments["canary"] or {}).get("images"):
            found["canary"] = self._ask("canary", arguments, task_vars, more)
        if arguments["diagnosis"] is not None:
            found["diagnosis"] = self._ask("diagnosis", arguments, task_vars, more)
        if (arguments["rehearsal"] or {}).get("config"):
            found["rehearsal"] = self._ask("rehearsal", arguments, task_vars)
        return found

    def _ask(
        self, question: str, arguments: Mapping[str, Any], task_vars: Any, more: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The answer to one question. That it could not be asked is one, too."""
        options = {**arguments["node"], **(arguments.get(question) or {}), **(more or {})}
        module = "k3sfleet.registries." + {**_MODULES, **_WRITES}[question]
        try:
            if question in _WITH_ACTION_PLUGIN:
                answer = self._through_action_plugin(module, options, question in _IN_CHECK_MODE, task_vars)
            else:
                answer = self._execute_module(module_name=module, module_args=options, task_vars=task_vars)
            return answer_of(answer)
        except AnsibleConnectionFailure as problem:
            return {"unreachable": True, "msg": str(problem)}
        except AnsibleError as problem:
            return {"failed": True, "msg": str(problem)}
        except RecursionError:
            return {"failed": True, "msg": _TOO_DEEP}

    def _write_metrics(
        self, host: str, folder: str, answers: Mapping[str, Any], judged: Judged, task_vars: Mapping[str, Any]
    ) -> list[verify_criteria.Finding]:
        """Write what was found where the node's node_exporter reads it; a finding if that is impossible."""
        text = exposition.text(metrics.families(_document(host, answers, judged), time.time()))
        written = self._ask("metrics", {"node": {}, "metrics": {"folder": folder, "text": text}}, task_vars)
        return list(verify_criteria.of_metrics(written))

    def _through_action_plugin(
        self, module: str, options: dict[str, Any], check_mode: bool, task_vars: Mapping[str, Any]
    ) -> dict[str, Any]:
        task = self._task.copy()
        task.args = options
        task.check_mode = check_mode or task.check_mode
        task.diff = False
        plugin = self._shared_loader_obj.action_loader.get(
            module,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        answer: dict[str, Any] = plugin.run(task_vars=task_vars)
        return answer


def _facts(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """What k3s_registries_info has found; {} if it has failed or given an answer that it never gives."""
    try:
        return conform(answer.get("info"), INFO, "info") or {}
    except OddAnswer:
        return {}


def _of_rancher(facts: Mapping[str, Any]) -> list[str]:
    """Verify has a table of warnings for it."""
    found = [item for item in facts.get("problems") or [] if item.get("code") == "rancher_managed"]
    return ["%s %s" % (item.get("message"), item.get("fix")) for item in found]


def _judged(host: str, answers: Mapping[str, Mapping[str, Any]], verify: Mapping[str, Any]) -> Judged:
    wanted = {"managed": verify["managed"], "not_installed": verify["not_installed"]}
    try:
        return judge(host, answers["info"], answers["probe"], answers["canary"], applied=answers["applied"], **wanted)
    except RecursionError:
        # The fleet's table needs a row for every node.
        return judge(host, {"failed": True, "msg": _TOO_DEEP}, {}, {}, False)


def _keep(host: str, answers: Mapping[str, Mapping[str, Any]], judged: Judged) -> str:
    """Keep what was found for the fleet's result; "" if that is impossible, which the task says that writes it."""
    try:
        return kept.keep(str(C.DEFAULT_LOCAL_TMP), _document(host, answers, judged))
    except OSError:
        return ""


def _document(host: str, answers: Mapping[str, Mapping[str, Any]], judged: Judged) -> dict[str, Any]:
    """The node's entry in the fleet's result."""
    try:
        return verified_host(answers, judged)
    except RecursionError:
        return not_examined(host, _TOO_DEEP)
