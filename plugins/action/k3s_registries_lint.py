# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lints files of the controller, and prints or writes what is found."""

from __future__ import annotations

import os
from typing import Any, Mapping

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import EMBEDDED_MIRROR, NodeFacts
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.visible import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.checked_action import (
    ControllerAction,
    write_texts,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings import files
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.attempts import attempts_of
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.ignores import IgnoreProblem
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.outcome import (
    ERRORS,
    FAIL_ON,
    LevelsProblem,
    Settings,
    Source,
    examine,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._lint_output.formats import FORMATS, PRINTED, rendered
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._lint_output.plain import summary

ARGUMENTS: dict[str, dict[str, Any]] = {
    "file": {"type": "raw"},
    "config": {"type": "raw", "no_log": True},
    "output": {"type": "str", "choices": list(FORMATS), "default": "text"},
    "report": {"type": "path", "default": ""},
    "fail_on": {"type": "str", "choices": list(FAIL_ON), "default": ERRORS},
    "levels": {"type": "dict", "default": {}},
    "ignore": {"type": "list", "elements": "raw", "default": []},
    "k3s_version": {"type": "str", "default": ""},
    "disable_default_endpoint": {"type": "bool", "default": False},
    "embedded_registry": {"type": "bool", "default": False},
    "image": {"type": "str", "default": ""},
    "images": {"type": "list", "elements": "str", "default": []},
}
# How findings name a configuration that is not in a file.
_VARIABLE = "k3s_registries"

display = Display()


class ActionModule(ControllerAction):
    _spec = ARGUMENTS

    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        _check_report(arguments)
        nodes = NodeFacts(
            k3s_version=arguments["k3s_version"],
            default_endpoint=not arguments["disable_default_endpoint"],
            embedded_mirror=EMBEDDED_MIRROR if arguments["embedded_registry"] else "",
            images=arguments["images"],
        )
        try:
            sources = _sources(arguments)
            found = examine(sources, Settings(nodes, arguments["levels"], arguments["ignore"]))
        except (files.FilesProblem, LevelsProblem, IgnoreProblem) as problem:
            raise AnsibleActionFail(visible(str(problem))) from None
        text = rendered(found, arguments["output"])
        if arguments["output"] in PRINTED:
            attempts = attempts_of([arguments["image"]] if arguments["image"] else [], sources, nodes)
            # One call: in AWX, where every line printed is an event of its own, they stay together. A workflow command
            # has to begin its line, so nothing is indented.
            display.display("\n" + text + "".join(line + "\n" for line in attempts))
        elif not self._task.check_mode:
            _write(arguments["report"], text)
            display.display("\n%s; written to %s" % (summary(found), visible(arguments["report"])))
        # Without the findings, which Ansible would print again, in one line, with the failure.
        result.update(changed=False, errors=found.errors, warnings_found=found.warnings, summary=summary(found))
        if found.fails(arguments["fail_on"]):
            result.update(failed=True, msg=summary(found))
        return result


def _sources(arguments: Mapping[str, Any]) -> list[Source]:
    """What is looked at: the files, or without any the variable.

    :raises FilesProblem: if there is neither, or a file cannot be read.
    """
    folder = _folder()
    names = _names(arguments["file"], folder)
    if names:
        return [Source(path, files.read(path, folder)) for path in files.find(names, folder)]
    if arguments["config"]:
        return [Source(_VARIABLE, arguments["config"])]
    raise files.FilesProblem(
        "there is nothing to look at: name a file, a folder or a pattern of this machine with "
        "-e k3s_registries_lint_file=registries.yaml"
    )


def _folder() -> str:
    """The folder in which the command was typed."""
    return os.environ.get("PWD") or os.getcwd()


def _names(given: Any, folder: str) -> list[str]:
    """The names in a list, or in a text with commas between them, as the command line gives it."""
    if isinstance(given, str):
        whole = os.path.join(folder, os.path.expanduser(given))
        given = [given] if os.path.exists(whole) else given.split(",")
    if not isinstance(given or [], list) or not all(isinstance(name, str) for name in given or []):
        raise files.FilesProblem("k3s_registries_lint_file must be a path, or a list of paths")
    return [name.strip() for name in given or [] if name.strip()]


def _check_report(arguments: Mapping[str, Any]) -> None:
    output, report = arguments["output"], arguments["report"]
    if output in PRINTED and report:
        raise AnsibleActionFail(
            "k3s_registries_lint_report is for json and sarif, and %s is printed: set k3s_registries_lint_output too"
            % output
        )
    if output not in PRINTED and not report:
        raise AnsibleActionFail(
            "%s goes to a file, since Ansible's own lines surround what is printed: name it with "
            "-e k3s_registries_lint_report=lint.%s" % (output, output)
        )


def _write(path: str, text: str) -> None:
    place = os.path.join(_folder(), os.path.expanduser(path))
    try:
        # It holds no secret, and the job that uploads it may run as another user.
        write_texts({place: text}, 0o644)
    except FileProblem as problem:
        raise AnsibleActionFail("the report cannot be written: %s" % problem) from problem
