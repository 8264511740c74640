# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full or cannot be written, and what an earlier accident has left lying about.

The unit tests try a fault at every single write of stage, commit and rollback, on a tree of files; here it is the whole
folder of a real node, at each of the two steps.
"""

from __future__ import annotations

from typing import Callable

from tests.faults.case import Case
from tests.faults.scene import STAGED, STATE, Scene
from tests.integration.cluster import Run

_CONFIG = "/etc/rancher/k3s"
# A small file system of its own with the folder's content, and not a block left in it.
_FULL = f"""
cp -a {_CONFIG} /tmp/kept
mount -t tmpfs -o size=512k,mode=0755 tmpfs {_CONFIG}
cp -a /tmp/kept/. {_CONFIG}/
! dd if=/dev/zero of={_CONFIG}/fill bs=1k 2>/dev/null
"""
_ROOM = f"""
rm -f {_CONFIG}/fill
cp -a {_CONFIG} /tmp/now
umount {_CONFIG}
cp -a /tmp/now/. {_CONFIG}/
rm -rf /tmp/now /tmp/kept
"""
_READ_ONLY = f"mount --bind {_CONFIG} {_CONFIG} && mount -o remount,bind,ro {_CONFIG}"
_WRITABLE = f"umount {_CONFIG}"


def _while_staging(node: str, break_it: str, mend: str) -> Callable[[Scene], Run]:
    def act(scene: Scene) -> Run:
        scene.sh(node, break_it)
        with scene.mended(lambda: scene.sh(node, mend)):
            return scene.play()

    return act


def _while_committing(node: str, break_it: str, mend: str) -> Callable[[Scene], Run]:
    def act(scene: Scene) -> Run:
        strike = scene.start()
        strike.says(STAGED)
        scene.sh(node, break_it)
        with scene.mended(lambda: scene.sh(node, mend)):
            return strike.end()

    return act


def _leftover(scene: Scene) -> Run:
    """What a power cut in the middle of a write leaves: half a file beside the real one, half a generation."""
    scene.sh(
        "server-1",
        "printf 'mirrors: {' > %s/registries.yaml.k3sfleet-new; mkdir -p %s/generations/unfinished.k3sfleet-new; "
        "echo half > %s/generations/unfinished.k3sfleet-new/0" % (_CONFIG, STATE, STATE),
    )
    run = scene.play()
    left = scene.sh("server-1", "find %s -name '*.k3sfleet-new'" % _CONFIG)
    assert not left.strip(), "left behind: " + left
    return run


def _damaged(scene: Scene) -> Run:
    scene.sh("server-1", 'for file in %s/generations/*/manifest.json; do echo "{" > "$file"; done' % STATE)
    return scene.play()


def _damaged_and_failing(scene: Scene) -> Run:
    """The generation that a failed node would go back to cannot be read: that has to come out before the restart."""
    scene.fault("server-1", "never-ready")
    return _damaged(scene)


def _damaged_record(scene: Scene) -> Run:
    scene.sh("agent-1", "echo '{' > %s/record.json" % STATE)
    return scene.play()


_OLD = {"*": "old"}
_NEW = {"*": "new"}
_LAST_OLD = {"agent-1": "old", "*": "new"}

CASES = [
    Case(
        "disk full", "while staging", _while_staging("server-1", _FULL, _ROOM), r"No space left on device.{0,40}", _OLD
    ),
    Case(
        "disk full",
        "before a server's commit",
        _while_committing("server-1", _FULL, _ROOM),
        r"No space left on device.{0,40}",
        _OLD,
        quick=True,
    ),
    Case(
        "disk full",
        "before an agent's commit",
        _while_committing("agent-1", _FULL, _ROOM),
        r"No space left on device.{0,40}",
        _LAST_OLD,
    ),
    Case(
        "read-only file system",
        "while staging",
        _while_staging("server-1", _READ_ONLY, _WRITABLE),
        r"Read-only file system.{0,40}",
        _OLD,
    ),
    Case(
        "read-only file system",
        "before a server's commit",
        _while_committing("server-1", _READ_ONLY, _WRITABLE),
        r"Read-only file system.{0,40}",
        _OLD,
    ),
    Case("leftover temporary files", "1st node", _leftover, r"\[4/4\] agent-1 restarted and healthy", _NEW, ok=True),
    Case("generations damaged", "1st node", _damaged, r"\[4/4\] agent-1 restarted and healthy", _NEW, ok=True),
    Case("generations damaged, then never ready", "1st node", _damaged_and_failing, r"put back as it was", _OLD),
    Case("record damaged", "last node", _damaged_record, r"\[4/4\] agent-1 restarted and healthy", _NEW, ok=True),
]
