# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a module's answer from what its node has printed: the JSON object, without keys that Ansible acts on."""

from __future__ import annotations

import json
import math
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.visible import visible_lines

LARGEST = 16 << 20
"""Characters. A node's files, sealed, are up to 11 MiB; everything else is far smaller."""
_MOST_VALUES = 1_000_000
# Keys that Ansible acts on: variables, hosts and groups of the inventory, statistics.
_ANSIBLES_OWN = ("ansible_facts", "ansible_stats", "add_host", "add_group")


class OddOutput(ValueError):
    """The text holds no answer that a module could give; the message never repeats it."""


def answer_alone(text: str) -> str:
    """``text`` without anything before and after a module's answer, and the answer without keys that Ansible acts on.

    A text without an answer, such as a command's or a missing interpreter's, is made safe to show.

    :raises OddOutput: if it is larger, or has more values, than an answer can have, or is not JSON.
    """
    start = 0 if text.startswith("{") else text.find("\n{") + 1
    if not text.startswith("{", start):
        return visible_lines(text)
    if len(text) > LARGEST or sum(text.count(sign, start) for sign in "[{,") > _MOST_VALUES:
        raise OddOutput("it is larger than %d MiB, or holds more than %d values" % (LARGEST >> 20, _MOST_VALUES))
    try:
        answer, end = json.JSONDecoder(parse_constant=_refused, parse_float=_finite).raw_decode(text, start)
    except (ValueError, RecursionError):
        raise OddOutput("it is no JSON that can be read") from None
    kept = {key: value for key, value in answer.items() if key not in _ANSIBLES_OWN and not key.startswith("_ansible")}
    return text[start:end] if len(kept) == len(answer) else json.dumps(kept)


def _refused(name: str) -> Any:
    raise OddOutput("%s is no number" % name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise OddOutput("it holds a number that cannot be")
    return number
