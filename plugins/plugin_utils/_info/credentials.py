# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials that a node's configuration has: until when, if anything tells."""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING, Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.lifetime import (
    DAY,
    Lifetime,
    lifetime,
    stamp,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.stated import day_of
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import expiry

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


def described(config: Config, expires: Mapping[str, str], now: float, written: float) -> list[dict[str, Any]]:
    """One entry for each registry whose credentials are known to end: ``{registry, ends, days_left, stated, ended,
    level, message, fix}``. Nothing in it is secret.

    :param expires: the days that k3s_registries has stated, by registry.
    :param now: the time, and ``written`` when the node's registries.yaml was last changed, 0 if there is none: what
        lives for hours was made before that.
    """
    entries = []
    for registry, settings in config["configs"].items():
        life = lifetime(settings["auth"], _day(expires.get(registry))) if settings["auth"] is not None else None
        if life is not None:
            entries.append(dict(_entry(life, now, written), registry=registry))
    return entries


def _day(said: str | None) -> str:
    """A stated day, "" for what is none: a node can answer anything."""
    try:
        return day_of(said)
    except ValueError:
        return ""


def _entry(life: Lifetime, now: float, written: float) -> dict[str, Any]:
    deadline = life.deadline(written)
    ended = bool(deadline) and deadline <= now
    left = math.floor((deadline - now) / DAY) if deadline else None
    message = life.sentence(now)
    if ended and not life.ends:
        message += ": it was written before %s, and has ended" % stamp(written)
    return {
        "ends": _moment(deadline),
        "days_left": left,
        "stated": bool(life.stated),
        "ended": ended,
        # What lives for hours is always near its end, also where nobody knows when it was made.
        "level": expiry.level(-1 if ended else left, not life.stated) if life.ends or ended else "warning",
        "message": message,
        "fix": life.kind.instead,
    }


def _moment(epoch: float) -> str:
    if not epoch:
        return ""
    try:
        return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return ""
