# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a run over one cluster, printed by whichever of its hosts is the last to end."""

from __future__ import annotations

import time
from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.only_files import expected
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import shortened

from . import plan, stop_after
from .run import ENDED, LEFT, STOPPED, Run


def lines(run: Run, cluster: str, task_vars: Mapping[str, Any], check_mode: bool = False) -> list[str]:
    """The summary, once: as soon as every host of the cluster in the play was staged and none is still to come."""
    hosts = expected(cluster, task_vars.get("ansible_play_hosts") or (), task_vars.get("groups") or {})
    if run.summed_up or not hosts or not set(hosts).issubset(run.arrived) or (run.follows and plan.to_come(run)):
        return []
    run.summed_up = True
    changed = [host for host in run.hosts.values() if host.changed and (host.progress == ENDED or not host.restart)]
    restarted = sum(host.restarted for host in changed)
    names = {
        "failed": sorted(run.failed),
        "left as they were": [name for name, host in run.hosts.items() if host.progress == LEFT],
    }
    rare = {
        "stopped": [name for name, host in run.hosts.items() if host.progress == STOPPED],
        "staged for a later run": plan.to_come(run),
        "not reached": sorted(set(run.arrived) - set(run.hosts) - set(run.failed)),
    }
    names.update({what: found for what, found in rare.items() if found})
    return [
        "Summary of cluster %s%s: %d nodes: %d changed (%d restarted, %d without a restart), %s, %.1f s"
        % (
            cluster,
            " (check mode, nothing was changed)" if check_mode else "",
            len(run.arrived),
            len(changed),
            restarted,
            len(changed) - restarted,
            ", ".join("%d %s" % (len(found), what) for what, found in names.items()),
            time.time() - run.began,
        ),
        *("  %s: %s%s" % (what, shortened(found), _more(run, what)) for what, found in names.items() if found),
    ]


def _more(run: Run, what: str) -> str:
    if what != "stopped":
        return ""
    return " (no node was begun after %s; run the playbook again to continue)" % stop_after.clock(run.pace.stop_at)
