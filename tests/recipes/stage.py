# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy that stands in for every host, over TLS too, so that a page's host names are asked as they are written."""

from __future__ import annotations

import contextlib
import json
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.fleet.certificates import authority, issue
from tests.registry_faults.servers import HttpServer, Reply, Request, json_reply, received, send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    App = Callable[[Request], Reply]

LOOPBACK = "127.0.0.1"


def nothing(_request: Request) -> Reply:
    """What every host answers that no recipe has: it does not have the image."""
    return json_reply({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown", "detail": {}}]}, 404)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    host = ""

    def do_CONNECT(self) -> None:  # noqa: N802
        """Become the host that is asked for."""
        self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.host = self.path[: -len(":443")] if self.path.endswith(":443") else self.path
        self.connection = self.request = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = socketserver._SocketWriter(self.connection)  # type: ignore[attr-defined]
        self.close_connection = False

    def _answer(self) -> None:
        host = self.host or urlsplit(self.path).netloc
        request = received(self)
        scheme = "https" if self.host else "http"
        # Whatever else there is on such a host, its token server too, is an app's own matter.
        self.server.asked.append(f"{self.command} {scheme}://{host}{request.path}")
        send(self, self.server.apps.get(f"{scheme}://{host}", nothing)(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_arguments: Any) -> None:
        """Nothing on the terminal."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.context = context
        self.apps: dict[str, App] = {}
        self.asked: list[str] = []

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError):
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that ends is nobody's business."""


class Stage:
    """Stands in for hosts: ``apps`` says who answers for which, by ``scheme://host[:port]``. A context manager.

    Nobody asks a proxy for loopback, so what a recipe has there is a server at a port of its own.

    :param folder: for the certificate of the authority, which stands for the system's.
    :param hosts: every name that is asked over TLS, without ports.
    """

    def __init__(self, folder: Path, hosts: tuple[str, ...]) -> None:
        ca = authority("recipes CA")
        ca.write(folder / "ca")
        issue(ca, "recipes", hosts).write(folder / "server")
        self.ca = folder / "ca.crt"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        self._server = _Server(context)
        self._loopback: dict[str, HttpServer] = {}

    def __enter__(self) -> Stage:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.play({})
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """For whoever is to ask through it."""
        proxy = f"http://{LOOPBACK}:{self._server.server_address[1]}"
        return {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "NO_PROXY": "", "SSL_CERT_FILE": str(self.ca)}

    def play(self, apps: Mapping[str, App]) -> None:
        """From now on these answer, and nobody else."""
        for server in self._loopback.values():
            server.__exit__()
        self._server.apps = {origin: app for origin, app in apps.items() if LOOPBACK not in origin}
        self._loopback = {origin: HttpServer(app) for origin, app in apps.items() if LOOPBACK in origin}

    def placed(self, config: dict[str, Any]) -> dict[str, Any]:
        """A configuration with the ports that its hosts on loopback have here; port 9 if nothing plays them."""
        text = json.dumps(config)
        for origin, server in self._loopback.items():
            text = text.replace(origin, f"http://{LOOPBACK}:{server.port}")
        placed: dict[str, Any] = json.loads(text)
        return placed

    def as_written(self, text: str) -> str:
        """A text with the ports of the pages instead of those here."""
        for origin, server in self._loopback.items():
            text = text.replace(f"{LOOPBACK}:{server.port}", origin.partition("//")[2])
        return text

    def take(self) -> list[str]:
        """What was asked since the last call, in order."""
        asked, self._server.asked = self._server.asked, []
        return asked
