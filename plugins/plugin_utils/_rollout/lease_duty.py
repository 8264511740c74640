# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host takes the cluster's Lease for all others, and which one releases it.

The hosts of a rollout come to these questions in processes of their own. Whoever asks first gets the duty, so only one
host of each cluster has a task to do, and a line to print.
"""

from __future__ import annotations

from . import plan, pull_secrets
from .run import Run


def join(run: Run, host: str) -> bool:
    """Enter that ``host`` is on its way to its commit, and return whether it has to take the Lease first.

    Under the linear strategy that is the first host, since no other goes on before it has ended this task. Under the
    others nobody waits, so each host asks until the run holds the Lease.
    """
    if host in run.hosts:
        run.hosts[host].ready = True
    lease = run.lease
    if lease.held or lease.without:
        # A host that comes once the server was asked, as hosts do where each runs on by itself.
        pull_secrets.decide(run)
    if lease.held or lease.without or lease.refusal or (run.in_order and lease.taker not in ("", host)):
        return False
    lease.taker = host
    return True


def leave(run: Run, host: str) -> str:
    """The server through which ``host`` has to release the Lease; "" if hosts are to come, or another one does it.

    Whoever has the duty keeps it, since Ansible asks again for the task itself. Under the free strategies hosts may
    have come in between: then the task finds them, and hands the duty on.
    """
    lease = run.lease
    if not lease.held or lease.releaser not in ("", host):
        return ""
    if not lease.releaser and plan.to_come(run):
        return ""
    lease.releaser = host
    return lease.server
