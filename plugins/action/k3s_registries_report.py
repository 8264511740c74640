# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s_registries_report: gathers what the play knows into one document and writes it as HTML and JSON."""

from __future__ import annotations

import os
from typing import Any, Mapping

from ansible.errors import AnsibleActionFail
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.checked_action import ControllerAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.of_each_host import of_each_host
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import files, page
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import build
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.handed_on import of_document
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.summary import summary

ARGUMENTS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "json_path": {"type": "path", "default": ""},
    "mode": {"type": "str", "default": "0600"},
    "title": {"type": "str", "default": "Private registries"},
    "hosts": {"type": "list", "elements": "str"},
    "info": {"type": "dict", "default": {}},
    "probe": {"type": "dict", "default": {}},
    "diagnosis": {"type": "dict", "default": {}},
    "rehearsal": {"type": "dict", "default": {}},
    "groups": {"type": "dict", "default": {}},
    "examined": {"type": "str", "default": ""},
}
_EXAMINED = ("info", "probe", "diagnosis", "rehearsal")


class ActionModule(ControllerAction):
    _spec = ARGUMENTS

    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        hosts = arguments["hosts"]
        if hosts is None:
            hosts = plain(task_vars.get("ansible_play_hosts_all") or [])
        if arguments["examined"]:
            arguments.update(_of_the_nodes(of_each_host(task_vars, arguments["examined"])))
        document = build(
            hosts, arguments["info"], arguments["probe"], arguments["diagnosis"], arguments["groups"], files.now(),
            arguments["rehearsal"],
        )  # fmt: skip
        path = os.path.abspath(arguments["path"])
        json_path = os.path.abspath(arguments["json_path"] or os.path.splitext(path)[0] + ".json")
        if json_path == path:
            raise AnsibleActionFail("json_path and path are both %s, so one would replace the other" % path)
        texts = {path: page.html(document, arguments["title"]), json_path: files.as_json(document)}
        if not self._task.check_mode:
            files.write("the report", texts, files.mode_of(arguments["mode"]))
        result.update(changed=True, path=path, json_path=json_path, summary=summary(document))
        result["handed_on"] = of_document(document, "k3s_registries_report_file", task_vars)
        return result


def _of_the_nodes(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What k3s_registries_examine has found, by what it was asked and by host; hosts that it could not ask left out."""
    asked = {host: answer for host, answer in answers.items() if "info" in answer}
    return {name: {host: answer.get(name) for host, answer in asked.items()} for name in _EXAMINED}
