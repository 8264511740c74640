# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the cluster's Lease alive while the run lives, from a process of its own.

The run's worker processes come and go with their tasks, so the one that has taken the Lease leaves a child behind.
It renews the Lease until the run releases it, or until Ansible's main process is gone, however that ended. Then it
releases the Lease itself, so that the next run does not have to wait for it to expire.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Callable

RENEW_EVERY = 15.0
_LOOK_EVERY = 0.5


def leave_behind(
    main_pid: int, wanted: Callable[[], bool], renew: Callable[[], object], give_back: Callable[[], object]
) -> None:
    """Fork the keeper and return at once.

    :param main_pid: Ansible's main process; the keeper ends when it is gone.
    :param wanted: whether the run still wants the Lease; False once it was released.
    :param renew: renews it; if that fails, the next renewal tries again.
    :param give_back: releases it.
    """
    if os.fork():
        return
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        # Whoever reads the run's output must not wait for the keeper's end.
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        keep(lambda: lives(main_pid), wanted, renew, give_back)
    finally:
        os._exit(0)


def keep(
    run_lives: Callable[[], bool],
    wanted: Callable[[], bool],
    renew: Callable[[], object],
    give_back: Callable[[], object],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Renew every :data:`RENEW_EVERY` seconds for as long as the run lives and wants it."""
    due = clock() + RENEW_EVERY
    while run_lives():
        if not wanted():
            return
        if clock() >= due:
            _try(renew)
            if run_lives() and not wanted():
                # It was released while this renewal was on its way, which has taken it anew.
                break
            due = clock() + RENEW_EVERY
        sleep(_LOOK_EVERY)
    _try(give_back)


def _try(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception:  # noqa: BLE001
        # The API may be away for a moment while the very servers restart that the run restarts; the Lease lasts
        # for several renewals.
        return


def lives(pid: int) -> bool:
    """Whether this process is there and no zombie."""
    # A child of that process sees another parent once it is gone; the keeper is a grandchild, so it asks.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as handle:
            return handle.read().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True
