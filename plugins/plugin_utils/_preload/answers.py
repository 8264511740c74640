# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of what a node answers to each question of a preload."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import NUMBER, TEXT

_HAVE = {"*": NUMBER}
_FINISHED = {"placed": [TEXT], "waiting": [TEXT], "again": TEXT}

SHAPES: dict[str, Any] = {
    "look": {
        "state": TEXT, "images_dir": TEXT, "found": [{"file": TEXT, "there": TEXT, "have": NUMBER}],
        "not_imported": [TEXT], "brought": [TEXT],
    },
    "verify": {"have": _HAVE},
    "receive": {"have": _HAVE, **_FINISHED},
    "finish": _FINISHED,
    "relay": {"port": NUMBER, "files": [TEXT]},
    "end_relay": {},
    "fetch": {"have": _HAVE, "again": TEXT, "gone": TEXT},
    "remove": {"archives": [TEXT], "images": [TEXT], "kept": [TEXT]},
}  # fmt: skip
