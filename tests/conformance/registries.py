# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containerd asks for, seen from the other side: registries on this machine that have no image and log requests.

Hosts with other names than this machine's are reached through a proxy that answers for all of them, so that every
request is seen whatever host it is for, and nothing leaves the machine.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Callable

LOOPBACK = "127.0.0.1"
_TLS_HANDSHAKE = b"\x16"


class Entry:
    """A line of the log; `text` is None while a TLS handshake is under way, "" once it has succeeded."""

    def __init__(self, text: str | None) -> None:
        self.text = text


class Log:
    """Requests in the order in which they came, over all registries."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def add(self, text: str | None) -> Entry:
        entry = Entry(text)
        with self._lock:
            self._entries.append(entry)
        return entry

    def take(self, timeout: float = 5.0) -> list[str]:
        """The lines since the last call, once no handshake is under way any more.

        :raises TimeoutError: if one does not end.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._lock:
                if all(entry.text is not None for entry in self._entries):
                    lines = [entry.text for entry in self._entries if entry.text]
                    self._entries.clear()
                    return lines
            if time.monotonic() > deadline:
                raise TimeoutError("a TLS handshake has neither succeeded nor failed")
            time.sleep(0.002)


def request_line(url: str, client_certificate: bool) -> str:
    """How a request is logged, and how the expectation of one is written."""
    return url + (" with client certificate" if client_certificate else "")


def refused_line(host: str) -> str:
    """How a connection is logged that ended because the client does not trust the server's certificate."""
    return f"https://{host.replace('localhost', LOOPBACK)} (certificate refused)"


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"
    origin = ""
    client_certificate = False

    def setup(self) -> None:
        if self.server.context is not None:
            host, port = self.request.getsockname()
            self._start_tls(self.request, self.server.context, f"{host}:{port}")
        elif self.request.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE:
            # As Go's server answers it, so that containerd sees that the registry speaks HTTP.
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            raise ConnectionAbortedError
        super().setup()

    def _start_tls(self, connection: socket.socket, context: ssl.SSLContext, host: str) -> None:
        # The place in the log is taken before the client can see the certificate, and so before it goes elsewhere.
        entry = self.server.log.add(None)
        try:
            if connection.recv(1, socket.MSG_PEEK) not in (_TLS_HANDSHAKE, b""):
                entry.text = ""  # plain HTTP where https is spoken: answered all the same, and logged as what it is
                return
            secure = context.wrap_socket(connection, server_side=True)
        except (OSError, ssl.SSLError):
            entry.text = refused_line(host)
            raise ConnectionAbortedError from None
        entry.text = ""
        self.request = self.connection = secure
        self.client_certificate = bool(secure.getpeercert())
        self.origin = f"https://{host}"

    def do_CONNECT(self) -> None:
        """Become the host that is asked for."""
        assert self.server.context_for is not None
        self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host = self.path.rpartition(":")[0] if self.path.endswith(":443") else self.path
        self._start_tls(self.connection, self.server.context_for(host), host)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = socketserver._SocketWriter(self.connection)  # type: ignore[attr-defined]
        self.close_connection = False

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')

    def _answer(self, body: bytes) -> None:
        if self.path.startswith("http://"):
            url = self.path
        elif self.origin:
            url = f"https://{self.headers['Host']}{self.path}"
        else:
            url = f"http://{self.headers['Host']}{self.path}"
        self.server.log.add(request_line(url, self.client_certificate))
        self.send_response(404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing on the terminal: the log is for `Log`."""


class Registry(socketserver.ThreadingTCPServer):
    """A registry without images on a free port of the loopback address.

    context: for https. context_for: makes it a proxy; the context for each host that it stands in for.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        log: Log,
        context: ssl.SSLContext | None = None,
        context_for: Callable[[str], ssl.SSLContext] | None = None,
    ) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.log = log
        self.context = context
        self.context_for = context_for
        self.port: int = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Registry:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A refused handshake or a connection that ends is in the log already."""
        with contextlib.suppress(OSError):
            if isinstance(request, socket.socket):
                request.close()
