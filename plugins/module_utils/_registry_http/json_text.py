# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON of strangers: an object out of bytes, or an error, in bounded time on every Python."""

from __future__ import annotations

import json
import math
import threading
from typing import Any, Callable, TypeVar

_Taken = TypeVar("_Taken")
# Objects take some thirty times the memory of their text: those of one text at a time.
ONE_AT_A_TIME = threading.Lock()


def taken(content: bytes, take: Callable[[dict[str, Any]], _Taken]) -> _Taken:
    """What ``take`` makes of a JSON object, which is not kept.

    :raises ValueError: as :func:`json_object`.
    """
    with ONE_AT_A_TIME:
        return take(json_object(content))


def json_object(content: bytes) -> dict[str, Any]:
    """:raises ValueError: if it is no JSON object, or one that is made to be expensive."""
    fields = read_json(content)
    if not isinstance(fields, dict):
        raise ValueError("it is no JSON object")
    return fields


def read_json(content: bytes) -> Any:
    """:raises ValueError: if it is no JSON: no depth and no number in it can cost more than its reading."""
    try:
        return json.loads(content.decode("utf-8"), parse_int=_number, parse_float=_finite, parse_constant=_refused)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _number(digits: str) -> int:
    # Older Pythons need minutes for a number of millions of digits.
    if len(digits) > 20:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("it holds a number that is too large")
    return number


def _refused(name: str) -> Any:
    # Python reads NaN and Infinity; JSON, and so everybody else who reads the same text, does not have them.
    raise ValueError(f"it holds {name}, which is no JSON")


def text_of(value: Any) -> str:
    """A string as it is; everything else is none, however it would look as text."""
    return value if isinstance(value, str) else ""
