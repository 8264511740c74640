# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that end, as the nodes know them."""

from __future__ import annotations

from typing import Any, Mapping


def ending(document: Mapping[str, Any]) -> list[str]:
    """The registries whose credentials have ended or soon will, on whichever node."""
    entries = [entry for host in document["hosts"].values() for entry in (host["info"] or {}).get("credentials") or []]
    return sorted({str(entry.get("registry") or "") for entry in entries if entry.get("level") != "ok"})
