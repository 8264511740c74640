# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to one server: bytes under a deadline, headers under a limit, one request and its answer at a time."""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.belonging import Origin
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.proxy import Proxy

HEADERS_LIMIT = 64 << 10
"""Bytes of everything before an answer's body, every ``100 Continue`` and every header of it together."""
_BUFFER = 8 << 10
_UNSAFE = re.compile(r"[^\x21-\x7e]")


class TooLarge(http.client.HTTPException):
    """An answer is larger than it may be; the text says which part and how large it may be."""


class Connection:
    """A connection that has been made by :func:`connect`; it belongs to one thread at a time."""

    def __init__(self, opened: socket.socket, proxy: Proxy | None = None) -> None:
        self._socket = opened
        self._deadline = Deadline(0)
        self._silence: float | None = None
        self._headers_left: int | None = None
        # The proxy that is to be told where every request goes, as for http:// addresses.
        self.proxy = proxy

    def within(self, deadline: Deadline, silence: float | None = None) -> None:
        """From now on everything ends by then, and no step waits longer than ``silence`` seconds."""
        self._deadline, self._silence = deadline, silence

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._socket.settimeout(self._deadline.left(self._silence))
            view = view[self._socket.send(view[: 1 << 18]) :]

    def receive_into(self, buffer: Any) -> int:
        self._socket.settimeout(self._deadline.left(self._silence))
        count = self._socket.recv_into(buffer)
        if self._headers_left is not None:
            self._headers_left -= count
            if self._headers_left < 0:
                raise TooLarge("its headers are larger than %d KiB" % (HEADERS_LIMIT >> 10))
        return count

    def answer(self, method: str) -> http.client.HTTPResponse:
        """The status and the headers of what comes next; its body is still to be read.

        :raises OSError, http.client.HTTPException: if nothing usable comes.
        """
        response = http.client.HTTPResponse(_Readable(self), method=method)  # type: ignore[arg-type]
        self._headers_left = HEADERS_LIMIT + _BUFFER
        try:
            response.begin()
        except ValueError as error:
            # http.client converts some numbers before it has looked at them.
            raise http.client.HTTPException("its headers are no HTTP") from error
        finally:
            self._headers_left = None
        if response.status < 200:
            raise http.client.HTTPException("it answers %d, which ends no request" % response.status)
        return response

    def stop(self) -> None:
        """End whatever another thread waits for here."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        self._socket.close()


class _Readable(io.RawIOBase):
    """A connection as ``http.client`` reads from it."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def makefile(self, *unused: Any, **more: Any) -> io.BufferedReader:
        return io.BufferedReader(self, _BUFFER)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._connection.receive_into(buffer)


def head_of(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """A request up to its body. Nothing in it can end a line early."""
    target = _UNSAFE.sub(lambda found: "".join("%%%02X" % byte for byte in found.group().encode("utf-8")), target)
    lines = ["%s %s HTTP/1.1" % (method, target)]
    for name, value in headers.items():
        if re.search(r"[\r\n\0]", value):
            raise http.client.HTTPException("a header named %s would have a line break" % name)
        lines.append("%s: %s" % (name, value))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


def ask(
    connection: Connection, method: str, target: str, headers: Mapping[str, str], body: Iterable[bytes] = ()
) -> http.client.HTTPResponse:
    """Send one request and wait for its answer.

    A server may answer, and stop reading, before it has all of a body: then that answer counts.

    :raises OSError, http.client.HTTPException: if no answer comes.
    """
    broken: OSError | None = None
    try:
        connection.send(head_of(method, target, headers))
        for chunk in body:
            connection.send(chunk)
    except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        broken = error
    try:
        return connection.answer(method)
    except (OSError, http.client.HTTPException):
        if broken is not None:
            raise broken from None
        raise


def connect(
    origin: Origin, proxy: Proxy | None, context: ssl.SSLContext | None, agent: str, deadline: Deadline
) -> Connection:
    """Connect to a server, through a proxy's tunnel if there is one and the server is spoken to over TLS.

    :raises OSError, http.client.HTTPException: if that does not work.
    :raises ProxyRefused: if the proxy does not do it.
    """
    host, port = (origin.host, origin.port) if proxy is None else (proxy.host, proxy.port)
    opened = _dialled(host, port, deadline)
    try:
        if proxy is not None and origin.scheme == "https":
            _tunnel(opened, origin, proxy, agent, deadline)
        if origin.scheme == "https":
            opened.settimeout(deadline.left())
            opened = (context or ssl.create_default_context()).wrap_socket(opened, server_hostname=origin.host)
    except BaseException:
        opened.close()
        raise
    return Connection(opened, proxy if origin.scheme == "http" else None)


class ProxyRefused(http.client.HTTPException):
    """The proxy does not connect to the server; ``status`` is what it answered."""

    def __init__(self, status: int) -> None:
        super().__init__("the proxy answers %d" % status)
        self.status = status


def _dialled(host: str, port: int, deadline: Deadline) -> socket.socket:
    last: OSError = socket.gaierror("no address")
    for family, kind, protocol, _name, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(deadline.left())
            opened.connect(address)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return opened
        except OSError as error:
            opened.close()
            last = error
    raise last


def _tunnel(opened: socket.socket, origin: Origin, proxy: Proxy, agent: str, deadline: Deadline) -> None:
    host = "[%s]" % origin.host if ":" in origin.host else origin.host
    target = "%s:%d" % (host, origin.port)
    headers = {"Host": target, "User-Agent": agent}
    if proxy.authorization:
        headers["Proxy-Authorization"] = proxy.authorization
    below = Connection(opened)
    below.within(deadline)
    status = ask(below, "CONNECT", target, headers).status
    if status != 200:
        raise ProxyRefused(status)
