# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How bad the verdict of a rehearsal on an image is.

It is about a configuration that is not applied, so it says nothing about how a node stands.
"""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.vocabulary import (
    BROKEN,
    LOST,
    NOT_KNOWN,
    OWN_CREDENTIALS,
)

_LEVELS = {LOST: "error", BROKEN: "warning", NOT_KNOWN: "unknown", OWN_CREDENTIALS: "info"}


def level(verdict: str, allowed: bool = False) -> str:
    """
    :param allowed: whether somebody has said that the image may be lost.
    """
    return "warning" if verdict == LOST and allowed else _LEVELS.get(verdict, "ok")
