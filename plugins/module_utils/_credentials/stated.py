# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``auth.expires``: the day on which credentials end, as somebody has noted it. A key of the collection's own in
k3s_registries, which no node's registries.yaml gets: a registry's page says when a robot or a token ends, its password
does not."""

from __future__ import annotations

import datetime
import re
from typing import Any, Mapping

KEY = "expires"
WANTED = "the day on which the credentials end is wanted, such as 2027-01-31"

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
# As registries' interfaces give it; the time of the day is nobody's business here.
_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ][0-9:.]+(?:Z|z| ?[+-][0-9:]+)?\Z")


def day_of(value: Any) -> str:
    """The day as text, 2027-01-31. YAML reads an unquoted day as a date, JSON has only text.

    :raises ValueError: if it is none; the message does not repeat it, since anything can stand there.
    """
    if isinstance(value, datetime.datetime):
        value = value.date()
    if isinstance(value, datetime.date):
        return datetime.date.isoformat(value)
    text = value if isinstance(value, str) else ""
    moment = _MOMENT.match(text)
    text = moment.group(1) if moment else text
    if not _DAY.match(text):
        raise ValueError("is no day")
    try:
        # A day that the calendar does not have is none either.
        return datetime.date(*(int(part) for part in text.split("-"))).isoformat()
    except ValueError:
        raise ValueError("is no day of any calendar") from None


def begin_of(day: str) -> float:
    """When a day begins, in UTC, seconds since 1970: from then on credentials that end on it may be refused."""
    year, month, date = (int(part) for part in day.split("-"))
    return datetime.datetime(year, month, date, tzinfo=datetime.timezone.utc).timestamp()


def stated_ends(config: Mapping[str, Any]) -> dict[str, str]:
    """The days that a configuration without errors states, by registry."""
    found = {}
    for registry, settings in (config.get("configs") or {}).items():
        value = ((settings or {}).get("auth") or {}).get(KEY)
        if value is not None:
            found[registry] = day_of(value)
    return found
