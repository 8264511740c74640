# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host must have room for: without it a node's systemd fails half way, with no word about why."""

from __future__ import annotations

import os
from pathlib import Path

from tests.fleet.process import FleetError

# systemd takes five inotify instances, dbus-daemon and containerd one each.
INOTIFY_PER_NODE = 7
_SETTING = "fs.inotify.max_user_instances"


def check(nodes: int, proc: Path = Path("/proc")) -> None:
    """Before a fleet of ``nodes`` is made.

    :raises FleetError: when the host's limit of inotify instances, which all containers share, is too low for it.
    """
    try:
        limit = int((proc / "sys" / _SETTING.replace(".", "/")).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return
    needed = _in_use(proc) + nodes * INOTIFY_PER_NODE
    if needed > limit:
        raise FleetError(
            "a fleet of %d nodes needs %s of %d, this host has %d: sysctl -w %s=%d"
            % (nodes, _SETTING, needed, limit, _SETTING, max(1024, 2 * needed))
        )


def _in_use(proc: Path) -> int:
    count = 0
    for entry in proc.glob("[0-9]*/fd/*"):
        try:
            count += os.readlink(entry) == "anon_inode:inotify"
        except OSError:
            # The process has ended, or closed it.
            continue
    return count
