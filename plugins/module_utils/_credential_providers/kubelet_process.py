# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of a node's kubelet, which its credential providers inherit.

In K3s the kubelet is a part of K3s' own process, in RKE2 a child of RKE2's. K3s writes the title that ``ps`` shows over
its arguments and over the first of its variables (gspt), so that one is lost to everybody else: on many nodes it is
PATH. It also takes systemd's NOTIFY_SOCKET out of its environment before it starts the kubelet.
"""

from __future__ import annotations

import contextlib
import os

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import names_in

_NOT_HANDED_ON = ("NOTIFY_SOCKET",)
# What systemd gives a service, between the folders that K3s puts before and behind it.
_PATH = "%(bin)s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:%(bin)s/aux"


def environment(main_pid: int, data_dir: str, proc: str = "/proc") -> dict[str, str]:
    """The variables that a kubelet hands on to its providers.

    :param main_pid: of the service of K3s or RKE2, 0 if it does not run.
    """
    pid = _kubelet_below(main_pid, proc) or main_pid
    found: dict[str, str] = {}
    with contextlib.suppress(OSError), open(os.path.join(proc, str(pid), "environ"), "rb") as handle:
        text = handle.read().decode("utf-8", "surrogateescape")
        found = dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)
    for name in _NOT_HANDED_ON:
        found.pop(name, None)
    found.setdefault("PATH", _PATH % {"bin": os.path.join(data_dir, "data", "current", "bin")})
    return found


def _kubelet_below(main_pid: int, proc: str) -> int:
    """RKE2's kubelet, 0 where it is no process of its own."""
    for process in filter(str.isdigit, names_in(proc) if main_pid else ()):
        with contextlib.suppress(OSError, IndexError), open(os.path.join(proc, process, "stat"), "rb") as handle:
            head, _bracket, rest = handle.read().decode("utf-8", "replace").rpartition(")")
            if head.partition("(")[2] == "kubelet" and rest.split()[1] == str(main_pid):
                return int(process)
    return 0
