# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task has registered on each host of a play, for a task that sums it up.

Taken from the hosts' variables as they are: a template over them works every variable of every host out, several times,
which takes minutes on a thousand hosts.
"""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import plain


def of_each_host(task_vars: Mapping[str, Any], variable: str) -> dict[str, dict[str, Any]]:
    """Host names to what is in ``variable`` there, in the play's order.

    A host without the variable is left out: with ``serial``, those of later batches have not been asked yet.
    """
    found = {}
    for host in plain(task_vars.get("ansible_play_hosts_all") or []):
        registered = task_vars["hostvars"].raw_get(host).get(variable)
        if isinstance(registered, Mapping):
            found[str(host)] = plain(registered)
    return found
