# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A moment by which something has ended, however many answers it takes: no server can hold a run by trickling."""

from __future__ import annotations

import socket
import time
from typing import Callable


class Deadline:
    """Counts from the moment it is made.

    :ivar seconds: how long it was when it began.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def left(self, at_most: float | None = None) -> float:
        """The seconds that are left, more than 0 and no more than ``at_most``.

        :raises socket.timeout: when none are left.
        """
        left = self._end - self._clock()
        if left <= 0:
            raise socket.timeout("not done after %g seconds" % self.seconds)
        return left if at_most is None else min(left, at_most)
