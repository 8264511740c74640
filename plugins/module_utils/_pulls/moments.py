# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments as people and logs write them.

Apart from what reads logs: every run of Ansible checks what people have given, and few runs read a log.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_since(text: str, now: float) -> float | None:
    """Seconds since 1970 of an RFC 3339 time or of a duration before `now`; None for an empty text.

    A duration is a number with ``s``, ``m``, ``h``, ``d`` or ``w``, seconds without a unit.

    :raises ValueError: if it is neither.
    """
    text = text.strip()
    if not text:
        return None
    duration = _DURATION.fullmatch(text)
    if duration:
        return now - float(duration.group(1)) * _SECONDS[duration.group(2) or "s"]
    moment = parse_time(text)
    if moment is None:
        raise ValueError(f"{text!r} is neither a time like 2026-11-25T02:00:00Z nor a duration like 90, 30m, 2h or 1d")
    return moment


def parse_time(text: str) -> float | None:
    """Seconds since 1970 of an RFC 3339 time, UTC if it names no offset; None if it is none."""
    match = _TIME.match(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    offset = match.group(8) or "Z"
    try:
        zone = timezone.utc
        if offset != "Z":
            sign = -1 if offset[0] == "-" else 1
            zone = timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:])))
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    except (ValueError, OverflowError):
        return None
    return moment.timestamp() + float(match.group(7) or 0)
