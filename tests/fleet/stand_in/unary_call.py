# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gRPC call that only reads, in a fifth of the time that it takes to import grpcio. Tests call crictl thousands of
times.

It knows no error: whoever gets no answer this way asks again with grpcio, which tells why. RFC 9113 has the frames.
"""

from __future__ import annotations

import socket
import struct
from typing import BinaryIO

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _WINDOW_UPDATE = 0, 1, 4, 8
_END_STREAM, _END_HEADERS = 1, 4
_STREAM = 1
_INITIAL_WINDOW_SIZE = 4
_WINDOW, _FIRST_WINDOW = 0x7FFFFFFF, 65535
_FIELDS = ((":method", "POST"), (":scheme", "http"), (":authority", "localhost"), ("te", "trailers"))


class NoAnswer(Exception):
    """Nobody there, or not the answer to this call."""


def call(path: str, method: str, message: bytes, timeout: float) -> bytes:
    """Call ``method`` (``/package.Service/Method``) of whoever listens at the socket ``path``; the answer's message.

    :param timeout: seconds to wait for each part of the answer.
    :raises NoAnswer: for anything but a message.
    """
    fields = (*_FIELDS, (":path", method), ("content-type", "application/grpc"))
    # Pseudo-header fields come first; each is a literal that is not indexed (RFC 7541, 6.2.2).
    head = b"".join(b"\0" + _text(name) + _text(value) for name, value in sorted(fields))
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(path)
            connection.sendall(
                _PREFACE
                + _frame(_SETTINGS, 0, 0, struct.pack("!HI", _INITIAL_WINDOW_SIZE, _WINDOW))
                + _frame(_WINDOW_UPDATE, 0, 0, struct.pack("!I", _WINDOW - _FIRST_WINDOW))
                + _frame(_HEADERS, _END_HEADERS, _STREAM, head)
                + _frame(_DATA, _END_STREAM, _STREAM, b"\0" + struct.pack("!I", len(message)) + message)
            )
            with connection.makefile("rb") as stream:
                return _message(stream)
    except (OSError, struct.error) as error:
        raise NoAnswer(str(error)) from error


def _message(stream: BinaryIO) -> bytes:
    body = b""
    while True:
        head = stream.read(9)
        length, kind, flags, number = struct.unpack("!I", b"\0" + head[:3])[0], *struct.unpack("!BBI", head[3:])
        payload = stream.read(length)
        if number == _STREAM and kind == _DATA:
            body += payload
        if number == _STREAM and (flags & _END_STREAM or kind not in (_DATA, _HEADERS)):
            break
    if len(body) < 5 or struct.unpack("!I", body[1:5])[0] != len(body) - 5:
        raise NoAnswer("no message")
    return body[5:]


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()
