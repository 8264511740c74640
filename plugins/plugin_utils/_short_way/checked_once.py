# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of a configuration, made once for all hosts of a run that have the same one.

What is kept for the other hosts holds no secret. A check that finds a mistake is kept for nobody: each host says so
itself, as it would without this.
"""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import cluster_groups, plain


class Mistakes(Exception):
    """The configuration has mistakes, which each host says itself."""

    def __init__(self, warnings: list[str]) -> None:
        super().__init__()
        self.warnings = warnings


def parts(arguments: Mapping[str, Any], task_vars: Mapping[str, Any], *more: Any) -> list[str]:
    """Everything that the check of a host's configuration depends on, for :func:`once.once`: the arguments, who takes
    part in the play, and where files of the controller are looked for.

    :param arguments: as they were given, before the configuration in them is read.
    :param more: what else it depends on.
    """
    groups = task_vars.get("groups") or {}
    canary = (arguments.get("rollout") or {}).get("canary") or ""
    members = {name: _joined(groups.get(name)) for name in (*cluster_groups(str(arguments.get("cluster"))), canary)}
    around = [
        members,
        # Whether the canary is a host of the inventory.
        any(canary in hosts for hosts in groups.values()) if canary else False,
        _joined(task_vars.get("ansible_play_hosts_all")),
        task_vars.get("inventory_dir"),
        task_vars.get("role_path"),
        task_vars.get("ansible_search_path"),
    ]
    return ["checked", json.dumps(plain([arguments, around, more]), sort_keys=True, default=str)]


def _joined(hosts: Iterable[str] | None) -> str | None:
    """Names of hosts as one text: each of a thousand hosts looks at all thousand."""
    return None if hosts is None else "\n".join(hosts)
