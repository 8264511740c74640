# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of k3s_upgrade_check: reads the release's images, has the node look, and shows how it goes."""

from __future__ import annotations

from functools import partial
from typing import Any, Mapping

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.lists import ListProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import UPGRADE_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import (
    answer_of,
    controller_file,
    plain,
    show,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.node_action import NodeAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import UPGRADE
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._config_yaml.ask import ask
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._upgrade import image_lists, target, words

_MODULE = "k3sfleet.registries.k3s_upgrade_check"
_CONTROLLER_ONLY = ("image_files", "release_url", "list_timeout", "cluster")


class ActionModule(NodeAction):
    _spec = UPGRADE_ARGUMENTS

    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        told = {key: value for key, value in arguments.items() if key not in _CONTROLLER_ONLY and value is not None}
        told["lists"] = self._lists(arguments, task_vars)

        def execute(sent: dict[str, Any]) -> dict[str, Any]:
            said = plain(self._execute_module(module_name=_MODULE, module_args=sent, task_vars=task_vars))
            # A seal is not text, and would not survive the cleaning.
            return said if "unsure" in said else answer_of(said)

        answer = ask(execute, told)
        try:
            conform(answer.get("upgrade"), UPGRADE, "the node's answer")
        except OddAnswer as odd:
            answer = {"failed": True, "changed": False, "msg": "k3s_upgrade_check: %s" % odd}
        result.update(answer)
        if "upgrade" in answer:
            answer["upgrade"] = result["upgrade"] = words.completed(answer["upgrade"] or {})
            show(words.node_line(str(task_vars.get("inventory_hostname", "")), answer["upgrade"]))
        return result

    def _lists(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, list[str]]:
        """The release's images. A mistake in the arguments, or a list that cannot be had, stops the run here."""
        try:
            release = target.read(arguments["target_release"])
            for name in arguments["images"]:
                parse_image(name)
            files = arguments["image_files"]
            if files:
                return image_lists.of_files(files, partial(self._read_file, task_vars))
            return image_lists.of_release(
                release, arguments["release_url"], arguments["list_timeout"], str(C.DEFAULT_LOCAL_TMP)
            )
        except (ImageError, ListProblem, target.NoTarget) as problem:
            raise AnsibleActionFail("%s. No node has been asked." % str(problem).rstrip(".")) from None

    def _read_file(self, task_vars: Mapping[str, Any], path: str) -> bytes:
        return controller_file(self, path, task_vars)
