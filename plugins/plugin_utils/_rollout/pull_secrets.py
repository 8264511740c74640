# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of a run must restart after all, because pods bring credentials of their own. Pure.

Staging has found no doubt about the new credentials of a node. Whether its pods get by without their imagePullSecrets
is asked through the server that gives the run its Lease, once for all of them.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials import doubts
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.changes import Reach
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.doubts import NOT_LIVE, Doubt
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.pull_secrets import ANY

from .run import Host, Run

_MOST = 3
_NOT_ASKED = "nobody was asked before this node's turn"


def are_needed(run: Run) -> bool:
    """Whether any host's change depends on them."""
    return any(host.live and host.reach for host in run.hosts.values())


def decide(run: Run) -> None:
    """Have the hosts restart that must, with the reason."""
    for host in run.hosts.values():
        if not (host.live and host.reach) or host.judged:
            continue
        host.judged = True
        found = list(_doubts(run.pull_secrets, host))
        if found:
            host.live = False
            more = "; and %d more" % (len(found) - _MOST) if len(found) > _MOST else ""
            sentences = "; ".join(doubt.sentence for doubt in found[:_MOST])
            host.reasons = [*host.reasons, NOT_LIVE + sentences + more]


def _doubts(answer: Mapping[str, Any] | None, host: Host) -> Iterator[Doubt]:
    error = str((answer or {}).get("error") or "") if answer is not None else _NOT_ASKED
    if error:
        yield Doubt(doubts.CLUSTER_UNKNOWN, error)
        return
    reach = Reach(tuple(host.reach["registries"]), bool(host.reach["others"]), tuple(host.reach["known"]))
    for entry in (answer or {}).get("found") or []:
        who, node = str(entry.get("who")), str(entry.get("node") or "")
        if node and node != host.node_name:
            continue
        if any(name == ANY or reach.covers(str(name)) for name in entry.get("registries") or []):
            yield Doubt(doubts.POD if node else doubts.SERVICE_ACCOUNT, who)
