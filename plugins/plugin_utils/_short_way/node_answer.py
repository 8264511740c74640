# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node has printed on the short way, read. Whatever is not exactly what a node with everything prints is no
answer, and the node is asked in full."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._snapshot.command import UNCHANGED
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import STAGED

_LARGEST = 1 << 20
_LINE = re.compile(r"^%s ([0-9a-f]{32}) ([0-9a-f]{64}) (\{[ -~]*\})\r?$" % UNCHANGED, re.MULTILINE)
#: What staging says of every node that has everything.
_NOTHING_TO_DO: dict[str, Any] = {
    "changed": False, "restart": False, "live": False, "reasons": [], "reach": {}, "files": [], "node_name": "",
    "architecture": "", "foreign": False, "health": {}, "kept": "", "left_alone": False, "node_state": "running",
}  # fmt: skip
_OF_THE_NODE: dict[str, Any] = {
    "node_role": str, "service": str, "service_state": str, "embedded_mirror": (str, type(None)), "release": str,
    "registries": list, "generation": int, "warnings": list,
}  # fmt: skip


class Answer(NamedTuple):
    """The snapshot's salt and digest, and the module's result that is in it."""

    salt: str
    digest: str
    result: dict[str, Any]


def read(text: str) -> Answer | None:
    """The answer in what a node has printed; None if there is none."""
    found = _LINE.search(text) if len(text) <= _LARGEST else None
    if found is None:
        return None
    try:
        result = json.loads(found.group(3))
        conform(result, STAGED)
    except (ValueError, RecursionError, OddAnswer):
        return None
    if set(result) != {*_NOTHING_TO_DO, *_OF_THE_NODE}:
        return None
    same = all(type(result[key]) is type(value) and result[key] == value for key, value in _NOTHING_TO_DO.items())
    fits = all(isinstance(result[key], kind) for key, kind in _OF_THE_NODE.items())
    texts = all(isinstance(item, str) for key in ("registries", "warnings") for item in result[key]) if fits else False
    return Answer(found.group(1), found.group(2), result) if same and texts else None
