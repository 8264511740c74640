# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a node on the controller, and fails it where it does not pass."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.verdict import beyond_judging, verdict

ARGUMENTS: dict[str, dict[str, Any]] = {
    "info": {"type": "dict", "required": True},
    "probe": {"type": "dict", "default": {}},
    "canary": {"type": "dict", "default": {}},
    "applied": {"type": "dict", "default": {}},
    "managed": {"type": "bool", "default": False},
    "not_installed": {"type": "str", "choices": ["fail", "allow"], "default": "fail"},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        host = str((task_vars or {}).get("inventory_hostname", ""))
        try:
            _validated, checked = self.validate_argument_spec(argument_spec=ARGUMENTS)
            arguments: dict[str, Any] = plain(checked)
            judged = verdict(
                host,
                arguments["info"],
                arguments["probe"],
                arguments["canary"],
                arguments["managed"],
                arguments["applied"],
                arguments["not_installed"],
            )
        except RecursionError:
            # The fleet's table needs a row for every node.
            judged = beyond_judging(host, "what its modules have answered is nested too deeply")
        result.update(changed=False, verdict=judged)
        if not judged["ok"]:
            result.update(failed=True, msg="; ".join(judged["failures"]))
        return result
