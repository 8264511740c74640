# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an answer has the shape that it should have.

A node answers in JSON, and may put anything there. One odd answer must not end a report or a table of a whole fleet:
each is compared with its shape first, and one that does not fit is left out with a sentence that says what is wrong.

A shape is :data:`TEXT`, :data:`NUMBER`, :data:`FLAG` or :data:`ANY`; a list with the shape of its items; a mapping with
the shapes of its known keys, or with one shape under ``"*"`` for all. ``null`` fits everything but an item of a list,
and a key may be missing.
"""

from __future__ import annotations

from typing import Any, Mapping

TEXT, NUMBER, FLAG, ANY = "a text", "a number", "true or false", "anything"

_DEEPEST = 24
_MOST_ITEMS = 100_000
_LARGEST_NUMBER = 1e15


class OddAnswer(ValueError):
    """An answer that does not fit; the message names the place and what is there, never a value."""


def conform(value: Any, shape: Any, place: str = "it") -> Any:
    """``value`` as plain types of the wanted shape.

    :param place: how messages name it.
    :raises OddAnswer: if it is not.
    """
    return _Walk().conform(value, shape, place, 0)


class _Walk:
    def __init__(self) -> None:
        self._items = 0

    def conform(self, value: Any, shape: Any, place: str, depth: int) -> Any:
        self._items += 1
        if self._items > _MOST_ITEMS:
            raise OddAnswer("it holds more than %d values" % _MOST_ITEMS)
        if depth > _DEEPEST:
            raise OddAnswer("%s is nested too deeply" % _shortened(place))
        if value is None:
            return None
        if isinstance(shape, list):
            if not isinstance(value, (list, tuple)):
                raise _odd(place, value, "a list")
            if shape[0] != ANY and None in value:
                raise OddAnswer("%s is null" % _shortened("%s[%d]" % (place, list(value).index(None))))
            return [self.conform(item, shape[0], "%s[%d]" % (place, n), depth + 1) for n, item in enumerate(value)]
        if isinstance(shape, Mapping):
            return self._mapping(value, shape, place, depth)
        if shape == ANY:
            return self._any(value, place, depth)
        return _single(value, shape, place)

    def _mapping(self, value: Any, shape: Mapping[str, Any], place: str, depth: int) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _odd(place, value, "a mapping")
        others = shape.get("*", ANY)
        return {
            str(key): self.conform(item, shape.get(str(key), others), "%s.%s" % (place, key), depth + 1)
            for key, item in value.items()
        }

    def _any(self, value: Any, place: str, depth: int) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value, {}, place, depth)
        if isinstance(value, (list, tuple)):
            return self.conform(value, [ANY], place, depth)
        kind = _kind(value)
        return _single(value, kind if kind in (FLAG, NUMBER) else TEXT, place)


def _single(value: Any, kind: str, place: str) -> Any:
    if _kind(value) != kind:
        raise _odd(place, value, kind)
    # A NaN is in no range.
    if kind == NUMBER and not abs(value) <= _LARGEST_NUMBER:
        raise OddAnswer("%s is a number that cannot be" % _shortened(place))
    return value


def _odd(place: str, value: Any, wanted: str) -> OddAnswer:
    return OddAnswer("%s is %s instead of %s" % (_shortened(place), _kind(value), wanted))


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return FLAG
    if isinstance(value, (int, float)):
        return NUMBER
    if isinstance(value, str):
        return TEXT
    return "a list" if isinstance(value, (list, tuple)) else "a mapping"


def _shortened(place: str) -> str:
    # Keys of a node's mapping are a node's text.
    return place if len(place) <= 120 else place[:120] + "..."
