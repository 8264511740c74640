# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commit is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence


@dataclass(frozen=True)
class CommitOptions:
    """How to go about it. Times in seconds. ``lease_holder`` names the run that has the cluster's Lease.

    ``quorum_timeout``: how long a server waits for the others before its restart. With ``announce`` it does not wait,
    but ends with nothing done and says for whom it would, so that the person at the terminal can be told.
    ``hanging`` names members of etcd whose servers hang on the very file that this run is about to replace.

    ``embedded_mirror`` is the address of the embedded registry as the servers of the run have it, "" for off, None if
    no server has told.

    ``live`` is whether the plan of the run has this node without a restart; None if there is no such plan.

    ``cordon``: whether new pods are kept away from the node around its restart.
    """

    restart_timeout: float = 300.0
    quorum_timeout: float = 60.0
    announce: bool = False
    hanging: Sequence[str] = ()
    on_failure: str = "rollback"
    canary_images: Sequence[str] = ()
    canary_timeout: float = 120.0
    force: bool = False
    lease_holder: str = ""
    embedded_mirror: str | None = None
    live: bool | None = None
    cordon: bool = False
