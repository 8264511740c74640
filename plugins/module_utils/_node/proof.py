# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until the cluster can do without this server, by looking again and again.

It is done right before a restart, so that what it has seen is as old as the last look.
"""

from __future__ import annotations

from typing import Callable, Collection, NamedTuple

from . import quorum

_PAUSE = 1.0


class Proof(NamedTuple):
    """``missing`` is what was still away at the end, empty when the restart may go on. ``waited_for`` names everything
    that was waited for on the way."""

    missing: tuple[str, ...] = ()
    waited_for: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def prove(
    look: Callable[[], quorum.View],
    timeout: float,
    final: bool,
    hanging: Collection[str],
    tell: Callable[[str], None],
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> Proof:
    """Look until the restart may go on, or until ``timeout`` seconds have passed; at least once.

    :param final: whether a majority is enough once the time is over; otherwise all servers have to be well.
    :param tell: told once for whom this waits, and anew whenever that changes.
    """
    began = clock()
    waited_for: list[str] = []
    told: tuple[str, ...] = ()
    while True:
        view = look()
        passed = clock() - began
        decision = quorum.decide(view, hanging, last=final and passed >= timeout)
        if decision.go or passed >= timeout:
            return Proof(decision.waiting_for, tuple(waited_for), decision.warnings)
        if decision.waiting_for != told:
            told = decision.waiting_for
            tell("waiting up to %d s before the restart for %s" % (round(timeout - passed), "; ".join(told)))
        waited_for.extend(name for name in told if name not in waited_for)
        sleep(min(_PAUSE, max(0.1, timeout - passed)))
