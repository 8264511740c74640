# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A moment by which something has ended, however many answers it takes: no server can hold a run by trickling."""

from __future__ import annotations

import time

from .failure import Failure


class Deadline:
    """Counts from when it is made, however many names, addresses and requests there are until it is over.

    :ivar seconds: how long it was when it began.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._begin = time.monotonic()
        self._end = self._begin + seconds

    def passed_ms(self) -> float:
        """The milliseconds since it began."""
        return (time.monotonic() - self._begin) * 1000

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return time.monotonic() >= self._end

    def left(self, doing: str, at_most: float | None = None) -> float:
        """The seconds that are left, more than 0 and no more than ``at_most``.

        :param doing: what is being done, for the failure's text.
        :raises Failure: of cause ``timeout``, when none are left.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed(doing)
        return left if at_most is None else min(left, at_most)

    def passed(self, doing: str) -> Failure:
        """The failure to raise when it is over."""
        return Failure("timeout", f"{doing}: nothing within {self.seconds:g} s")
