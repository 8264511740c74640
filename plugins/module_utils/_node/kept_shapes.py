# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what was read back from a file on the node has the shape in which it was written.

A disk that fills up, a restored backup or an editor can leave anything there. What does not fit is treated like a file
that cannot be read, before any of it is used.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping


def fits(value: Any, shape: Any) -> bool:
    """Whether ``value`` has a shape: a type; a function that says so; a list with the shape of its items; a mapping
    with the shapes of the keys that have to be there, or under ``"*"`` that of all values."""
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            return False
        if "*" in shape:
            return all(fits(item, shape["*"]) for item in value.values())
        return all(key in value and fits(value[key], wanted) for key, wanted in shape.items())
    if isinstance(shape, type):
        return isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    return bool(shape(value))


def optional(shape: Any) -> Callable[[Any], bool]:
    """That shape, or null."""
    return lambda value: value is None or fits(value, shape)


def is_text(value: Any) -> bool:
    """A text that can be written to a file: JSON can hold half a character."""
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_path(value: Any) -> bool:
    return is_text(value) and os.path.isabs(value) and "\0" not in value


def is_number(value: Any) -> bool:
    """A number of a generation, or of them."""
    return fits(value, int) and value >= 0


def is_mode(value: Any) -> bool:
    return is_number(value) and value <= 0o777
