# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a fleet that fail a verification, and those that pass without being asked."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from . import nodes


def failed(verdicts: Iterable[Mapping[str, Any]]) -> list[str]:
    """The nodes that do not pass a verification: with one of them, it fails."""
    return [str(item["host"]) for item in verdicts if not item["ok"]]


def idle(verdicts: Iterable[Mapping[str, Any]]) -> list[str]:
    """The nodes that pass because no K3s runs there, so that nothing was asked."""
    return [str(item["host"]) for item in verdicts if item["state"] in nodes.IDLE]
