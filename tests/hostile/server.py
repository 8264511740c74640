# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that writes down every byte it is told, and answers with any bytes that its app likes."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from http.client import responses
from typing import Any, Callable, Iterator, NamedTuple, Union
from urllib.parse import parse_qs, urlsplit

from tests.hostile.ledger import Heard, Ledger
from tests.registry_faults.servers import Reply

_LARGEST_HEAD = 1 << 20
_PATIENCE = 30.0
"""Seconds of silence after which a server lets a connection go."""


class Request(NamedTuple):
    """``target`` is what stands in the request line, ``path`` and ``query`` what it means; the names of the headers are
    in lower case; ``head`` has all bytes up to the body."""

    scheme: str
    method: str
    target: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    head: bytes

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


class Tunnel(NamedTuple):
    """A proxy's answer to CONNECT: 200, then bytes are carried to an address and back."""

    address: tuple[str, int]


class Impersonate(NamedTuple):
    """A proxy's answer to CONNECT: 200, then it is the other side itself, with TLS of its own or, without, in clear."""

    app: App
    context: ssl.SSLContext | None


class Forward(NamedTuple):
    """A proxy's answer to a plain request: the bytes are handed on to an address, and what comes back."""

    address: tuple[str, int]
    content: bytes


Answer = Union[Reply, Iterator[bytes], Tunnel, Impersonate, Forward, None]
App = Callable[[Request], Answer]


class HostileServer:
    """Listens at an address of its own; over TLS with a context, and then in plain HTTP too.

    :param port: the one that it is known by; 0 is the real one.
    :ivar requests: what it was asked, as far as it was HTTP.
    :ivar app: what answers; may be changed at any time.
    """

    def __init__(
        self, name: str, port: int, app: App, ledger: Ledger, address: str, context: ssl.SSLContext | None = None
    ) -> None:
        self.name, self.app = name, app
        self.context = context
        self.requests: list[Request] = []
        self._ledger = ledger
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._socket = socket.create_server((address, 0), backlog=128)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self.port = port or self.address[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def scheme(self) -> str:
        return "https" if self.context is not None else "http"

    @property
    def host(self) -> str:
        """Its name and port as they stand in a URL, the port left out where it is the scheme's own."""
        return self.name if self.port == (443 if self.context is not None else 80) else f"{self.name}:{self.port}"

    @property
    def url(self) -> str:
        """By its name, for clients in this process."""
        return f"{self.scheme}://{self.host}"

    @property
    def direct(self) -> str:
        """By its real address and port, for clients in other processes."""
        return f"{self.scheme}://{self.address[0]}:{self.address[1]}"

    @property
    def own_place(self) -> str:
        """Its place in the ledger."""
        return self.place(self.scheme)

    def place(self, scheme: str) -> str:
        """The place of its TLS side or its plain side."""
        return f"{scheme}://{self.name}:{self.port}"

    @property
    def sent(self) -> int:
        """The bytes that its clients have taken."""
        return sum(heard.sent for scheme in ("http", "https") for heard in self._ledger.heard(self.place(scheme)))

    def close(self) -> None:
        # close() alone leaves a blocked accept() or recv() behind.
        with self._lock:
            opened = [self._socket, *self._open]
        for connection in opened:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # ``sent`` is to be what clients have taken, not the megabytes that the kernel keeps for them.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
        with self._lock:
            self._open.add(connection)
        try:
            with contextlib.suppress(OSError):
                self._secured(connection, self.context, self.app_now)
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def app_now(self, request: Request) -> Answer:
        return self.app(request)

    def _secured(self, connection: socket.socket, context: ssl.SSLContext | None, app: App) -> None:
        """TLS where the client begins with it, otherwise in clear: all of it is written down either way."""
        is_tls = connection.recv(1, socket.MSG_PEEK) == b"\x16"
        if context is None or not is_tls:
            heard = self._ledger.open(self.place("http"))
            if is_tls:
                heard.received += connection.recv(1 << 16)
            else:
                self._converse(connection, "http", heard, app)
            return
        with context.wrap_socket(connection, server_side=True) as secured:
            subject = dict(pair for part in (secured.getpeercert() or {}).get("subject", ()) for pair in part)
            heard = self._ledger.open(self.place("https"), subject.get("commonName", ""))
            self._converse(secured, "https", heard, app)

    def _converse(self, connection: socket.socket, scheme: str, heard: Heard, app: App) -> None:
        reader = _Reader(connection, heard)
        while True:
            request = reader.request(scheme)
            if request is None:
                return
            self.requests.append(request)
            answer = app(request)
            if not self._answered(connection, answer, request, reader):
                return

    def _answered(self, connection: socket.socket, answer: Answer, request: Request, reader: _Reader) -> bool:
        """Whether the connection can be used further."""
        heard = reader.heard
        if answer is None:
            return False
        if isinstance(answer, (Tunnel, Impersonate)):
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            if isinstance(answer, Impersonate):
                self._secured(connection, answer.context, answer.app)
            else:
                _carry(connection, answer.address, reader)
            return False
        if isinstance(answer, Forward):
            with socket.create_connection(answer.address, timeout=_PATIENCE) as other:
                other.sendall(answer.content)
                for chunk in iter(lambda: other.recv(1 << 16), b""):
                    connection.sendall(chunk)
            return False
        if isinstance(answer, Reply):
            content = reply_bytes(answer, request.method == "HEAD")
            connection.sendall(content)
            heard.sent += len(content)
            return True
        for chunk in answer:
            connection.sendall(chunk)
            heard.sent += len(chunk)
        return False


def reply_bytes(reply: Reply, is_head: bool = False) -> bytes:
    """A reply as it goes over the wire. A header with a list of values is sent once for each; nothing is escaped."""
    headers: dict[str, Any] = {"Content-Length": str(len(reply.body)), **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} {responses.get(reply.status, 'Hostile')}"]
    for name, value in headers.items():
        lines += [f"{name}: {item}" for item in (value if isinstance(value, list) else [value])]
    head = "\r\n".join(lines) + "\r\n\r\n"
    return head.encode("utf-8", "surrogateescape") + (b"" if is_head else reply.body)


class _Reader:
    """Requests out of a connection, every byte written down as it comes."""

    def __init__(self, connection: socket.socket, heard: Heard) -> None:
        self._connection = connection
        self.heard = heard
        self._rest = b""

    def more(self) -> bytes:
        data = self._connection.recv(1 << 16)
        self.heard.received += data
        return data

    def request(self, scheme: str) -> Request | None:
        """The next request; None where no more come, or what comes is no HTTP."""
        while b"\r\n\r\n" not in self._rest:
            data = self.more()
            if not data or len(self._rest) > _LARGEST_HEAD:
                return None
            self._rest += data
        head, _blank, self._rest = self._rest.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3:
            return None
        pairs = (line.partition(":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _colon, value in pairs}
        if headers.get("expect", "").lower() == "100-continue":
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunked()
        else:
            body = self._exactly(int(headers.get("content-length") or 0))
        url = urlsplit(words[1])
        path = url.path or words[1]
        return Request(scheme, words[0], words[1], path, parse_qs(url.query), headers, body, head + b"\r\n\r\n")

    def _exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            data = self.more()
            if not data:
                raise OSError("the request ends early")
            self._rest += data
        content, self._rest = self._rest[:count], self._rest[count:]
        return content

    def _line(self) -> bytes:
        while b"\r\n" not in self._rest:
            data = self.more()
            if not data:
                raise OSError("the request ends early")
            self._rest += data
        line, _end, self._rest = self._rest.partition(b"\r\n")
        return line

    def _chunked(self) -> bytes:
        content = b""
        while True:
            count = int(self._line().partition(b";")[0], 16)
            if not count:
                while self._line():
                    pass
                return content
            content += self._exactly(count)
            self._line()


def _carry(connection: socket.socket, address: tuple[str, int], reader: _Reader) -> None:
    """Bytes to and fro until one side has gone; what comes from the client is written down."""
    with socket.create_connection(address, timeout=_PATIENCE) as other:
        while True:
            waiting = getattr(connection, "pending", lambda: 0)()
            ready = [connection] if waiting else select.select([connection, other], [], [], _PATIENCE)[0]
            if not ready:
                return
            for side in ready:
                data = reader.more() if side is connection else other.recv(1 << 16)
                if not data:
                    return
                (other if side is connection else connection).sendall(data)
