# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what was found on a whole fleet: the table of a verification, its failing pulls by cause, what an upgrade
does to its registries, or what a change means for pulls."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import plain
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.checked_action import ControllerAction
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.approval import for_the_approval
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._upgrade.words import conclusion
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify import failing
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.table import table

ARGUMENTS: dict[str, dict[str, Any]] = {
    "verdicts": {"type": "list", "elements": "dict"},
    "diagnosis": {"type": "dict"},
    "info": {"type": "dict", "default": {}},
    "upgrade": {"type": "dict"},
    "rehearsals": {"type": "dict"},
}

display = Display()


class ActionModule(ControllerAction):
    _spec = ARGUMENTS

    def _act(self, result: dict[str, Any], arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        verdicts, diagnosis = arguments["verdicts"], arguments["diagnosis"]
        upgrade, rehearsals = arguments["upgrade"], arguments["rehearsals"]
        if [verdicts, diagnosis, upgrade, rehearsals].count(None) != 3:
            raise AnsibleActionFail("k3s_registries_summary takes one of verdicts, diagnosis, upgrade and rehearsals")
        if upgrade is not None:
            return self._of_an_upgrade(result, upgrade, task_vars)
        if rehearsals is not None:
            lines = for_the_approval(rehearsals)
            # The nodes' own tasks have printed it.
            return {**result, "changed": False, "lines": lines, "headline": lines[0], "nodes": []}
        if verdicts is not None:
            lines = table(verdicts)
            failed = sorted(str(item["host"]) for item in verdicts if not item["ok"])
        else:
            lines = failing.lines(diagnosis, arguments["info"])
            failed = sorted({name for group in failing.groups(diagnosis) for name in group.nodes})
        # One call: in AWX, where every line printed is an event of its own, they stay together.
        display.display("\n" + "\n".join(lines))
        result.update(changed=False, lines=lines, headline=lines[-1], nodes=failed)
        if verdicts is None and failing.none_examined(diagnosis, arguments["info"]):
            result.update(failed=True, msg=lines[-1])
        return result

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
