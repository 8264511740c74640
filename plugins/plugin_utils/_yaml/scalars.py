# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What yaml.v2 takes a scalar for (its ``resolve.go``).

A text field gets the scalar as it is spelled, whatever it looks like, so its type matters only for
null, for true and false, and where a tag such as ``!!int`` demands one.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re

PREFIX = "tag:yaml.org,2002:"
STR, BOOL, INT, FLOAT, NULL, TIMESTAMP, BINARY, MERGE = (
    PREFIX + name for name in ("str", "bool", "int", "float", "null", "timestamp", "binary", "merge")
)
_CHECKED_TAGS = {"", STR, BOOL, INT, FLOAT, NULL, TIMESTAMP}

_NULLS = {"", "~", "null", "Null", "NULL"}
_TRUE = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}
_FALSE = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
_FLOAT_WORDS = re.compile(r"[+-]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INT = re.compile(r"(?P<sign>[-+]?)(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_LONGEST_INT = 2 + 64  # 0b and 64 binary digits
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:[Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
    r"| ([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?)?"
)


class ScalarError(ValueError):
    """A tag demands what the text is not; the message names the tags, never the text."""


def type_of(tag: str, text: str, implicit: bool) -> str:
    """The type, as a full tag, of a scalar.

    :param tag: its tag in full, "" without one.
    :param implicit: it is plain.
    :raises ScalarError: if the text is not of the type that the tag demands.
    """
    if not tag and not implicit:
        return STR
    if tag not in _CHECKED_TAGS:
        return tag
    found = STR if tag == STR else _plain_type(tag, text)
    if tag in {"", found} or (tag == FLOAT and found == INT):
        return tag or found
    raise ScalarError(f"cannot decode {short(found)} as a {short(tag)}")


def truth(text: str) -> bool:
    """The value of a scalar of type :data:`BOOL`."""
    return text in _TRUE


def decode_binary(text: str) -> str:
    """The bytes of a ``!!binary`` scalar, as Go keeps them in a string (no UTF-8: lone surrogates).

    :raises ScalarError: if it is no base64.
    """
    try:
        data = base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        raise ScalarError("!!binary value contains invalid base64 data") from None
    return data.decode("utf-8", "surrogateescape")


def short(tag: str) -> str:
    """``!!str`` for the full tag; other tags as they are."""
    return "!!" + tag[len(PREFIX) :] if tag.startswith(PREFIX) else tag


def _plain_type(tag: str, text: str) -> str:
    if text in _NULLS:
        return NULL
    if text in _TRUE or text in _FALSE:
        return BOOL
    if _FLOAT_WORDS.fullmatch(text):
        return FLOAT
    if text[0] == ".":
        return FLOAT if _is_float(text) else STR
    if text[0] not in "+-0123456789":
        return STR
    if tag in {"", TIMESTAMP} and _is_timestamp(text):
        return TIMESTAMP
    digits = text.replace("_", "")
    if _is_int(digits):
        return INT
    return FLOAT if _is_float(digits) else STR


def _is_int(text: str) -> bool:
    match = _INT.fullmatch(text)
    if match is None:
        return False
    if len(text.lstrip("+-").lstrip("0")) > _LONGEST_INT:
        return False  # too large for Go, and a number of a million digits would take Python minutes
    digits = text.lstrip("+-")
    octal = len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567"
    value = int(digits, 8 if octal else 0)
    limit = {"-": 2**63, "+": 2**63 - 1, "": 2**64 - 1}[match.group("sign")]
    return value <= limit


def _is_float(text: str) -> bool:
    return _FLOAT.fullmatch(text) is not None and abs(float(text)) != float("inf")


def _is_timestamp(text: str) -> bool:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return False
    numbers = [int(group) for group in match.groups() if group is not None]
    try:
        datetime.datetime(max(numbers[0], 1), *numbers[1:])  # type: ignore[arg-type,misc]  # noqa: DTZ001 (only checked)
    except ValueError:
        return False
    return True
