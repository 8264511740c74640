# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The level of a certificate, as k3s_registries_info lists those of a node, or as a registry has shown it."""

from __future__ import annotations

from typing import Any, Mapping

from . import expiry


def days_left(entry: Mapping[str, Any]) -> int | None:
    """Whole days until it expires, None if that is not known."""
    left = entry.get("days_left")
    return left if isinstance(left, int) else None


def level(entry: Mapping[str, Any]) -> str:
    """``error`` if it has expired, cannot be used, or its key belongs to another; ``warning`` if it expires soon."""
    if entry.get("error") or entry.get("key_matches") is False:
        return "error"
    return expiry.level(days_left(entry))


def soonest(info: Mapping[str, Any]) -> int | None:
    """Days left of the certificate on the node that expires first, None if there is none."""
    left = [days_left(entry) for entry in info.get("certificates") or []]
    return min((days for days in left if days is not None), default=None)
