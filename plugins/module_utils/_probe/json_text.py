# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON of strangers: an object out of bytes, or an error, in bounded time on every Python."""

from __future__ import annotations

import json
from typing import Any


def json_object(content: bytes) -> dict[str, Any]:
    """:raises ValueError: where it is no JSON object, or one that is made to be expensive."""
    try:
        fields = json.loads(content.decode("utf-8"), parse_int=_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(fields, dict):
        raise ValueError("no object")
    return fields


def _number(digits: str) -> int:
    # Older Pythons need minutes for a number of millions of digits.
    if len(digits) > 20:
        raise ValueError("a number with too many digits")
    return int(digits)


def text_of(value: Any) -> str:
    """A string as it is; everything else is none, however it would look as text."""
    return value if isinstance(value, str) else ""
