# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One gRPC call with one message each way, over TLS or a socket of this machine, with nothing but Python's standard
library.

K3s' etcd speaks gRPC only on its client port; its JSON gateway listens on loopback alone, in newer releases. So this
is the way to ask the etcd of another server. containerd speaks nothing else, and its command crictl takes a pull's
credentials only where every user of the machine can read them: on its command line. It takes a few frames of HTTP/2
(RFC 9113): the answer's header fields, which are compressed, are skipped, since a unary call that fails has no message.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from typing import Iterator, NamedTuple

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 1, 1, 4, 8
_STREAM = 1
# Without a window update a peer may send 65,535 bytes; no answer that is asked for here comes near that.
_LONGEST = 65535
# What a peer takes in one frame if it has said nothing else (RFC 9113, 6.5.2).
_LONGEST_FRAME = 16384


class NoAnswer(OSError):
    """Something answers there, but not this call."""


class _Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


def call(address: tuple[str, int], context: ssl.SSLContext, method: str, message: bytes, timeout: float) -> bytes:
    """Call ``method`` (``/package.Service/Method``) at ``address`` with an encoded message; the encoded answer.

    :raises OSError: if nothing listens there, TLS fails, or no answer comes within ``timeout`` seconds.
    :raises NoAnswer: if the peer refuses the call.
    """
    deadline = time.monotonic() + timeout
    host = "[%s]" % address[0] if ":" in address[0] else address[0]
    fields = _fields(method, "https", "%s:%d" % (host, address[1]))
    with socket.create_connection(address, timeout) as plain, context.wrap_socket(
        plain, server_hostname=address[0]
    ) as connection:
        return _exchange(connection, fields, message, deadline)


def call_socket(path: str, method: str, message: bytes, timeout: float) -> bytes:
    """:func:`call` for who listens on a socket of this machine.

    :raises OSError: if nobody does, or no answer comes within ``timeout`` seconds.
    :raises NoAnswer: if the peer refuses the call.
    """
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        return _exchange(connection, _fields(method, "http", "localhost"), message, deadline)


def _exchange(connection: socket.socket, fields: bytes, message: bytes, deadline: float) -> bytes:
    body = b"\0" + struct.pack("!I", len(message)) + message
    if len(body) > _LONGEST_FRAME:
        raise ValueError("a message of %d bytes is longer than a frame" % len(message))
    connection.sendall(
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, _STREAM, fields)
        + _frame(_DATA, _END_STREAM, _STREAM, body)
    )
    return _message(_answer(connection, deadline))


def _fields(method: str, scheme: str, authority: str) -> bytes:
    """The request's header fields, each as a literal that is not indexed (RFC 7541, 6.2.2)."""
    fields = {
        ":method": "POST",
        ":scheme": scheme,
        ":path": method,
        ":authority": authority,
        "te": "trailers",
        "content-type": "application/grpc",
    }
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields.items())


def _text(text: str) -> bytes:
    encoded = text.encode("ascii")
    if len(encoded) > 126:
        raise ValueError("%s: longer than a single length byte can say" % text)
    return bytes([len(encoded)]) + encoded


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def _answer(connection: socket.socket, deadline: float) -> bytes:
    """The bytes of all data frames of our stream."""
    body = b""
    for frame in _frames(connection, deadline):
        if frame.kind in (_SETTINGS, _PING) and not frame.flags & _ACK:
            # Whether the peer still reads it says nothing about its answer, which may have come already.
            with contextlib.suppress(OSError):
                connection.sendall(_frame(frame.kind, _ACK, 0, frame.payload if frame.kind == _PING else b""))
        elif frame.kind == _GOAWAY:
            raise NoAnswer("it closed the connection")
        elif frame.stream == _STREAM:
            if frame.kind == _RST_STREAM:
                raise NoAnswer("it refused the call")
            if frame.kind == _DATA:
                padding = frame.payload[0] + 1 if frame.flags & _PADDED else 0
                body += frame.payload[1 : len(frame.payload) - padding + 1] if padding else frame.payload
                if len(body) > _LONGEST:
                    raise NoAnswer("its answer is too long")
            if frame.kind in (_DATA, _HEADERS) and frame.flags & _END_STREAM:
                return body
    return body


def _frames(connection: socket.socket, deadline: float) -> Iterator[_Frame]:
    while True:
        head = _read(connection, 9, deadline)
        kind, flags, stream = struct.unpack("!BBI", head[3:])
        length = struct.unpack("!I", b"\0" + head[:3])[0]
        if length > _LONGEST:
            raise NoAnswer("it does not speak HTTP/2")
        yield _Frame(kind, flags, stream & 0x7FFFFFFF, _read(connection, length, deadline))


def _read(connection: socket.socket, length: int, deadline: float) -> bytes:
    content = b""
    while len(content) < length:
        left = deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        connection.settimeout(left)
        more = connection.recv(length - len(content))
        if not more:
            raise NoAnswer("it closed the connection")
        content += more
    return content


def _message(body: bytes) -> bytes:
    """The one message in the answer's data: a flag for compression, four bytes of length, and the message."""
    if len(body) < 5 or body[0] != 0 or struct.unpack("!I", body[1:5])[0] != len(body) - 5:
        raise NoAnswer("it refused the call")
    return body[5:]
