# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A K3s or RKE2 that somebody has started without a service."""

from __future__ import annotations

import os
import re

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files

from .contradictions import Contradiction

# Both set their process title to the program and the command: "/usr/local/bin/k3s server".
_TITLE = re.compile(rb"\A(?:/[^\s\0]*/)?(k3s|rke2)(?:[\s\0]+|-)(server|agent)(?:[\s\0]|\Z)")
_NAMES = {"k3s": "a K3s", "rke2": "an RKE2"}


def running_without_service(root: str = "/") -> list[Contradiction]:
    """Such processes of this node. Those of containers on it (K3s in Docker) are other nodes' and left out."""
    folder = os.path.join(root, "proc")
    own = _namespaces(os.path.join(folder, "self"))
    found = []
    for pid in sorted((name for name in files.names_in(folder) if name.isdigit()), key=int):
        try:
            with open(os.path.join(folder, pid, "cmdline"), "rb") as handle:
                match = _TITLE.match(handle.read(256))
        except OSError:
            continue
        if match and _namespaces(os.path.join(folder, pid)) == own:
            what = "%s %s" % (_NAMES[match.group(1).decode("ascii")], match.group(2).decode("ascii"))
            found.append(Contradiction("process", "", what, "process %s" % pid))
    return found[:1]


def _namespaces(process: str) -> tuple[str, ...]:
    try:
        return tuple(os.readlink(os.path.join(process, "ns", kind)) for kind in ("mnt", "pid"))
    except OSError:
        return ()
