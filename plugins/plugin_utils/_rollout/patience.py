# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting that has an end: for a Lease whose holder may be dead, and for hosts that do not come.

A run that was killed with everything it had started, as AWX does with a cancelled job, cannot give its Lease back. The
next run tells it from one that lives: a living run renews again and again. After the last sign of a dead one there is
at most one more, from a server that finished its commit by itself.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.lease import HELD_BY_ANOTHER

AT_MOST = 150
"""Seconds that a run waits for a Lease before it gives up."""
_LOOK_EVERY = 5
_SIGNS_OF_A_DEAD_RUN = 1


class Patience:
    """How long a host still waits for those whose turn is before its own and who have not come yet.

    Ansible has begun them before it, so they come within moments, on a busy machine within seconds. If they never do,
    whatever the reason, the rollout must not hang.
    """

    def __init__(self, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._absent: Sequence[str] = ()
        self._since = clock()

    def is_over(self, absent: Sequence[str]) -> bool:
        """Whether these have been absent for so long. As long as some of them still come, it is not."""
        if list(absent) != list(self._absent):
            self._absent, self._since = absent, self._clock()
        return bool(absent) and self._clock() - self._since >= self._seconds


def outwait(
    ask: Callable[[], dict[str, Any]], announce: Callable[[str], object], sleep: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """Ask for the Lease until it is ours or its holder is seen to live; returns the last answer.

    :param ask: tries to take it. ``lease`` is ``held_by_another`` in the answer if another run holds it, and then
        ``renewed`` is its last sign of life and ``expires_in`` the seconds until it counts as gone.
    :param announce: is told once, in a sentence, that the run waits.
    """
    answer = ask()
    sign, signs, waited = answer.get("renewed"), 0, 0
    while answer.get("lease") == HELD_BY_ANOTHER and waited < AT_MOST and answer.get("expires_in", AT_MOST) < AT_MOST:
        if not waited:
            announce(
                "Another run holds the rollout lease; waiting to see whether it is still alive: %s" % answer.get("msg")
            )
        sleep(_LOOK_EVERY)
        waited += _LOOK_EVERY
        answer = ask()
        if answer.get("renewed") != sign:
            sign, signs = answer.get("renewed"), signs + 1
        if signs > _SIGNS_OF_A_DEAD_RUN:
            break
    return answer
