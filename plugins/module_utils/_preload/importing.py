# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""K3s imports what is in its folder: by itself, on releases that watch it, or when told to. Until then we wait."""

from __future__ import annotations

import time
from typing import Callable, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import (
    IMAGES_FOLDER_WATCHED,
    known_release,
)

from . import containerd
from .archive import Archive
from .look import not_imported

AFTER_REMOVAL = 5.0
"""Seconds between taking an archive out and bringing it in again. K3s looks at a file two seconds after an event, and
forgets it only if it is gone then: ``AddAfter`` in ``pkg/agent/containerd/watcher.go``."""

_PAUSE = 1.0


def watches(release: str) -> bool:
    """Whether a release imports archives while it runs. One that nobody knows is taken for a current one."""
    known = known_release(release)
    return known is None or IMAGES_FOLDER_WATCHED.passed(known)


def wait(
    wanted: Iterable[Archive],
    images: Callable[[], Mapping[str, containerd.Image]],
    seconds: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Archive]:
    """Wait until every image is in containerd and pinned; returns the archives of which one is not after ``seconds``.
    A containerd that does not answer is one that is starting."""
    until = now() + seconds
    waiting = _not_yet(wanted, images)
    while waiting and now() < until:
        sleep(min(_PAUSE, max(0.0, until - now())))
        waiting = _not_yet(waiting, images)
    return waiting


def by_hand(paths: NodePaths, path_of: Callable[[Archive], str], archives: Iterable[Archive], timeout: float) -> None:
    """Import archives on a release that does so only at its start.

    :raises ContainerdProblem: if one cannot be imported.
    """
    for archive in archives:
        containerd.bring_in(paths, path_of(archive), archive.images, timeout)


def _not_yet(wanted: Iterable[Archive], images: Callable[[], Mapping[str, containerd.Image]]) -> list[Archive]:
    archives = list(wanted)
    try:
        return not_imported(archives, images)
    except containerd.ContainerdProblem:
        return archives
