# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host must have room for: without it a node's systemd fails half way, with no word about why."""

from __future__ import annotations

import os
from pathlib import Path

from tests.fleet.process import FleetError, say

# systemd takes five inotify instances, dbus-daemon and containerd one each.
INOTIFY_PER_NODE = 7
_SETTING = "fs.inotify.max_user_instances"
# Several targets of make may each make a fleet at once: room for all of them, so that the first one sees to it.
_ENOUGH = 1024
# Where Podman itself, not systemd, makes the control groups, all its containers together get the processor time of one
# process: each of cgroup v1 and v2 has its own file and its own unit, of which a process has 1024 and 100.
_SHARES = (("cpu/libpod_parent/cpu.shares", 8192), ("libpod_parent/cpu.weight", 800))


def ensure(nodes: int, proc: Path = Path("/proc")) -> None:
    """Before a fleet of ``nodes`` is made: raise the host's limit of inotify instances, which all containers share, if
    it is too low for it, and say so. It lasts until the host's next start.

    :raises FleetError: if it is too low and cannot be raised, with what to set.
    """
    setting = proc / "sys" / _SETTING.replace(".", "/")
    try:
        limit = int(setting.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return
    needed = _in_use(proc) + nodes * INOTIFY_PER_NODE
    if needed <= limit:
        return
    wanted = max(_ENOUGH, 2 * needed)
    why = "a fleet of %d nodes needs %s of %d, this host has %d" % (nodes, _SETTING, needed, limit)
    try:
        setting.write_text("%d\n" % wanted, encoding="ascii")
    except OSError as error:
        raise FleetError("%s; as root on the host: sysctl -w %s=%d" % (why, _SETTING, wanted)) from error
    say("%s: set to %d until the host's next start" % (why, wanted))


def share_processor(control_groups: Path = Path("/sys/fs/cgroup")) -> None:
    """After a fleet's containers are made: let all containers of this host together have the processor time of eight
    processes, so that the nodes are not starved by what else runs. It lasts until the host's next start; a host that
    does not take it stays as it is, for a slow fleet is a fleet, too."""
    for name, wanted in _SHARES:
        setting = control_groups / name
        try:
            if int(setting.read_text(encoding="ascii")) < wanted:
                setting.write_text("%d\n" % wanted, encoding="ascii")
        except (OSError, ValueError):
            continue


def _in_use(proc: Path) -> int:
    count = 0
    for entry in proc.glob("[0-9]*/fd/*"):
        try:
            count += os.readlink(entry) == "anon_inode:inotify"
        except OSError:
            # The process has ended, or closed it.
            continue
    return count
