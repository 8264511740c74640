# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that speak TLS and know their callers by client certificates of the cluster's client CA, or not at all."""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import ssl
import threading
from typing import Any, Callable, NamedTuple


class Request(NamedTuple):
    """``user`` and ``groups`` are "" and nothing for a caller without a certificate."""

    method: str
    path: str
    query: str
    body: bytes
    user: str
    groups: list[str]
    local: bool


Answer = Callable[[Request], "tuple[int, Any]"]


def serve(port: int, folder: str, certificate: str, answer: Answer) -> None:
    """Listen on every address, IPv6's too, and answer in threads.

    :param folder: has ``certificate``.crt and .key, and client-ca.crt.
    :param answer: a code, and text or what becomes JSON.
    """

    class Handler(_Handler):
        owner = staticmethod(answer)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("%s/%s.crt" % (folder, certificate), "%s/%s.key" % (folder, certificate))
    context.load_verify_locations(folder + "/client-ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    server = _Server((_any_address(), port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def embedded_registry(request: Request) -> tuple[int, Any]:
    """A registry that knows its callers and has no image."""
    if not request.user:
        return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "no client certificate"}]}
    if request.path == "/v2/":
        return 200, {}
    return 404, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "no peer has it"}]}


def _any_address() -> str:
    """Every address, of both families where the kernel has both."""
    try:
        socket.socket(socket.AF_INET6).close()
    except OSError:
        return "0.0.0.0"  # noqa: S104
    return "::"


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Not HTTPServer's own, which asks for this host's full name.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True
    owner: Answer

    def log_message(self, *arguments: Any) -> None:
        """K3s does not log requests."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        path, _unused, query = self.path.partition("?")
        user, groups = _subject(self.connection.getpeercert() or {})
        local = self.client_address[0].rpartition(":ffff:")[2] in ("127.0.0.1", "::1")
        self._send(*self.owner(Request(self.command, path, query, body, user, groups, local)))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _send(self, code: int, content: Any) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        data = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _subject(certificate: Any) -> tuple[str, list[str]]:
    """Common name and organisations, which Kubernetes takes for the user and its groups."""
    pairs = [pair for part in certificate.get("subject", ()) for pair in part]
    names = [value for key, value in pairs if key == "commonName"]
    return names[0] if names else "", [value for key, value in pairs if key == "organizationName"]
