# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protobuf wire format, as far as CRI messages use it: varints and length-delimited fields."""

from __future__ import annotations

from typing import Iterator


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        if not number:
            encoded.append(byte)
            return bytes(encoded)
        encoded.append(byte | 0x80)


def field(number: int, value: int | str | bytes) -> bytes:
    """One field; an int as varint, anything else length-delimited."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field.

    :raises ValueError: for wire types that no CRI message has.
    """
    position = 0

    def varint() -> int:
        nonlocal position
        number = shift = 0
        while True:
            byte = message[position]
            position += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while position < len(message):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            yield tag >> 3, varint()
        elif kind == 2:
            length = varint()
            yield tag >> 3, message[position : position + length]
            position += length
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        else:
            raise ValueError("wire type %d" % kind)


def text(value: int | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def first(message: bytes, number: int) -> bytes:
    """The last value of a length-delimited field, b"" when it is absent."""
    found = b""
    for name, value in fields(message):
        if name == number and isinstance(value, bytes):
            found = value
    return found
