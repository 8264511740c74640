# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small proxy in front of a registry that says 429 when it is told to, as Docker Hub does."""

from __future__ import annotations

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Limiter:
    """Refuses manifests with ``Retry-After`` and passes everything else on.

    :ivar refused: how often it did.
    :ivar pauses: seconds between a refusal and the next request for the same.
    """

    def __init__(self, port: int) -> None:
        self._refusals: list[tuple[str, int, str]] = []
        self._lock = threading.Lock()
        self._since: dict[tuple[str, str], float] = {}
        self.refused = 0
        self.pauses: list[float] = []
        limiter = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *unused: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                wait = limiter.refusal(self.command, self.path)
                if wait is not None:
                    body = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit"}]}'
                    self._answer(429, {"Retry-After": str(wait), "Content-Type": "application/json"}, body)
                    return
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() != "connection":
                        connection.putheader(name, value)
                connection.endheaders()
                answer = connection.getresponse()
                self._answer(answer.status, dict(answer.getheaders()), answer.read())
                connection.close()

            do_HEAD = do_GET

            def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response_only(status)
                if self.command != "HEAD":
                    headers["Content-Length"] = str(len(body))
                for name, value in headers.items():
                    if name.lower() not in ("connection", "transfer-encoding"):
                        self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return "http://127.0.0.1:%d" % self._server.server_address[1]

    def refuse(self, count: int, method: str, retry_after: int, path: str = "/manifests/") -> None:
        """Refuse the next ``count`` requests for a path."""
        self._refusals += [(method, retry_after, path)] * count

    def refusal(self, method: str, path: str) -> int | None:
        """Seconds to ask for, None where the request is passed on."""
        with self._lock:
            asked = self._since.pop((method, path), None)
            if asked is not None:
                self.pauses.append(time.monotonic() - asked)
            if "/manifests/" not in path:
                return None
            for position, (wanted, wait, part) in enumerate(self._refusals):
                if wanted == method and part in path:
                    del self._refusals[position]
                    self.refused += 1
                    self._since[(method, path)] = time.monotonic()
                    return wait
            return None

    def __enter__(self) -> Limiter:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._server.shutdown()
        self._server.server_close()
