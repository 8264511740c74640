# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a snapshot of a node that has everything, so that the next run need not ask it in full.

A file that is changed while a snapshot is taken must not pass for one that staging has seen. So the snapshot comes
first, and staging looks once more after it: what either of them has not seen, the next comparison finds. For that,
every change has to show: the times that the command compares are whole seconds, so a snapshot is taken in a later
second than that of the last change.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import run
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import PRESENT, SETTINGS, Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.generated import read_generated
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceProblem

from .command import COMPLETE, FORMAT, SCRIPT, TAKE
from .what_counts import CannotTell, WhatCounts, what_counts

_TIMEOUT = 30.0
_NAME = re.compile(r"[0-9a-f]{32} [0-9a-f]{64}\Z")
_OF_THE_DIFF = ("before", "after")


class Staged(NamedTuple):
    """A node as it has been staged: what it is, the wanted state on it, and the module's result with its warnings."""

    node: Identity
    desired: Desired
    result: Mapping[str, Any]


def keep(
    name: str,
    staged: Staged,
    again: Callable[[], Staged],
    sleep: Callable[[float], None] = time.sleep,
    root: str = "/",
) -> bool:
    """Keep a snapshot if the node has everything.

    :param name: the salt and the digest by which the controller knows the configuration, with a blank between them.
    :param again: stages once more, without changing anything.
    :returns: whether there is a snapshot of this name and of the node as it is.
    :raises FileProblem: if it cannot be written.
    :raises NodeBusy: if another run is changing this node.
    """
    memory = Memory(staged.node.paths)
    if not _NAME.match(name) or not _has_everything(staged, memory):
        return False
    with memory.locked(), contextlib.suppress(CannotTell, ServiceProblem):
        counts = what_counts(staged.node, staged.desired, root)
        evidence = _see(counts, sleep)
        now = again()
        if dict(now.result) != dict(staged.result) or what_counts(now.node, now.desired, root) != counts:
            return False
        head = " ".join((FORMAT, name, hashlib.sha256(evidence.encode("utf-8")).hexdigest()))
        memory.write_snapshot("%s\n%s\n%s" % (head, _shown(staged.result), counts.lines()))
        return True
    return False


def _has_everything(staged: Staged, memory: Memory) -> bool:
    """Whether there is nothing to do, nothing under way, and nothing that may change by itself."""
    result, desired = staged.result, staged.desired
    acts = any(result.get(key) for key in ("changed", "restart", "live", "reasons", "files", "kept", "foreign"))
    if acts or result["before"] != result["after"] or not staged.node.alive or staged.node.unsure:
        return False
    # Programs, interpreters and pods are for the full way to look at.
    if desired.kind not in (PRESENT, SETTINGS) or desired.providers or desired.settings.get("credential_store"):
        return False
    if any(item is not None for item in (memory.transaction(), memory.candidate_text(), memory.cordon_note())):
        return False
    # What is in force without a restart is asked for in full until K3s has read it.
    return not read_generated(staged.node.paths).headers


def _see(counts: WhatCounts, sleep: Callable[[float], None]) -> str:
    """What the command sees, in a later second than that of the last change.

    :raises CannotTell: if it could not look at everything, or if something changes in the future.
    """
    newest = _last_change(counts)
    now = time.time()
    if newest > int(now) + 1:
        raise CannotTell("a file was changed in the future")
    if newest >= int(now):
        sleep(newest + 1.02 - now)
    seen = run(["/bin/sh", "-c", SCRIPT, "sh", counts.own, TAKE], _TIMEOUT, stdin=counts.lines())
    if not seen.ok or not seen.out.endswith("\n%s\n" % COMPLETE):
        raise CannotTell("its tools do not tell")
    if _last_change(counts) != newest:
        raise CannotTell("it is being changed")
    return seen.out


def _last_change(counts: WhatCounts) -> int:
    try:
        return max(int(os.lstat(path).st_ctime) for path in (*counts.entries, *counts.contents))
    except OSError as error:
        raise CannotTell("it is being changed") from error


def _shown(result: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in result.items() if key not in _OF_THE_DIFF}, sort_keys=True)
