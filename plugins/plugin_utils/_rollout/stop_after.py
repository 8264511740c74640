# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a rollout begins no further node: after so many seconds, or at a time of day of the controller. Pure."""

from __future__ import annotations

import re
import time
from typing import NamedTuple

MOST_SECONDS = 7 * 86400


class StopProblem(ValueError):
    """Neither seconds nor a time of day."""


class StopAfter(NamedTuple):
    """``seconds`` from the first restart, or at ``hour`` and ``minute``; all None if the rollout does not stop."""

    seconds: int | None = None
    hour: int | None = None
    minute: int = 0


def parse(text: str) -> StopAfter:
    """Read ``text``: "" for never, ``3600`` for seconds, ``04:30`` for a time of day.

    :raises StopProblem: for anything else.
    """
    said = str(text).strip()
    if not said:
        return StopAfter()
    if re.match(r"^\d{1,7}\Z", said, re.ASCII) and 1 <= int(said) <= MOST_SECONDS:
        return StopAfter(seconds=int(said))
    found = re.match(r"^([01]?\d|2[0-3]):([0-5]\d)\Z", said, re.ASCII)
    if found:
        return StopAfter(hour=int(found.group(1)), minute=int(found.group(2)))
    raise StopProblem(
        '%r is neither a number of seconds from 1 to %d nor a time of day such as "04:30", in quotes'
        % (said, MOST_SECONDS)
    )


def moment(stop: StopAfter, began: float, first_restart: float) -> float:
    """When it is, in seconds since the epoch; 0 if never, or as long as that is not known.

    :param began: when the run began. A time of day that was over by then is that of the next day.
    :param first_restart: when the first node restarted, 0 if none has.
    """
    if stop.seconds is not None:
        return first_restart + stop.seconds if first_restart else 0.0
    if stop.hour is None:
        return 0.0
    day = time.localtime(began)
    for days in (0, 1):
        # mktime knows how long a month is, and whether the clocks change in that night.
        at = time.mktime((day.tm_year, day.tm_mon, day.tm_mday + days, stop.hour, stop.minute, 0, 0, 0, -1))
        if at > began:
            break
    return at


def plan_line(stop: StopAfter, at: float, now: float) -> str:
    """``no node begins after 04:30:00, in about 2 h 10 min (k3s_registries_stop_after)`` for the plan, "" if never."""
    if stop.seconds is not None:
        return "no node begins later than %d s after the first restart (k3s_registries_stop_after)" % stop.seconds
    if not at:
        return ""
    return "no node begins after %s, in about %s (k3s_registries_stop_after)" % (clock(at), length(max(0, at - now)))


def why(at: float) -> str:
    """Why a node was not begun."""
    return (
        "left as it was, untouched: no node was begun after %s (k3s_registries_stop_after). Run the "
        "playbook again to continue with this node" % clock(at)
    )


def clock(at: float) -> str:
    """``04:30:00``, the time of day of the controller."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def length(seconds: float) -> str:
    """``40 s``, ``4 min``, ``2 h 10 min``: as exactly as one wants to know."""
    if seconds < 90:
        return "%d s" % max(10, round(seconds / 10.0) * 10)
    minutes = round(seconds / 60.0)
    if minutes < 90:
        return "%d min" % minutes
    hours, minutes = divmod(minutes, 60)
    return "%d h %d min" % (hours, minutes) if minutes else "%d h" % hours
