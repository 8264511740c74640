# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that writes every request into the ledger."""

from __future__ import annotations

import contextlib
import http.server
import json
import ssl
import threading
import time
from typing import Any, Callable, Mapping, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.fleet.logins.ledger import Entry, Ledger


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


class Login(NamedTuple):
    """What a request bore, for the ledger."""

    scheme: str = ""
    user: str = ""
    state: str = ""


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    login: Login = Login()
    also: tuple[Login, ...] = ()
    """Further logins that the request bore, which were not asked about."""


_NO_LOGIN = Login()
App = Callable[[Request], Reply]


def json_reply(value: Any, status: int = 200, login: Login = _NO_LOGIN, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, {"Content-Type": "application/json", **named}, json.dumps(value).encode(), login)


class Server:
    """Listens at once, until it is closed.

    :param name: by which clients know it; its place is made of that.
    :param context: without one it speaks plain HTTP.
    """

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        address: str = "127.0.0.1",
        port: int = 0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.app: App = lambda _request: json_reply({}, 404)
        self.context = context
        self._server = _Http((address, port), _handler(self, ledger), context)
        self.address = address
        self.name = name
        self.port: int = self._server.server_address[1]
        self.host = "%s:%d" % (name, self.port)
        self.url = "%s://%s" % ("https" if context else "http", self.host)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Http(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: Any, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(address, handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread: one that shakes no hands must not stop the others.
        with contextlib.suppress(OSError):
            if self._context is not None:
                request = self._context.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with contextlib.suppress(OSError):
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are no news."""


def _handler(server: Server, ledger: Ledger) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fields = {name.lower(): value for name, value in self.headers.items()}
            at = time.time()
            reply = server.app(Request(self.command, url.path, parse_qs(url.query), fields, body))
            for login in (reply.login, *reply.also):
                ledger.add(Entry(at, server.url, self.client_address[0], self.command, url.path, reply.status, *login))
            self.send_response_only(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                for one in value.split("\n"):
                    self.send_header(name, one)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815

        def log_message(self, *_arguments: Any) -> None:
            """The ledger has it."""

    return Handler
