# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the part of AWX' API that the collection awx.awx calls for our role. It is not AWX.

It stores what it is sent and answers as AWX does for these endpoints: lists with filters and `related` links, defaults,
secrets that it shows as `$encrypted$` only, associations, surveys, deletion with all that depends on it. It refuses
what AWX refuses and what our role could get wrong: a name that is taken, an unknown playbook, two credentials of one
type for a job template, a credential with fields that its type does not have, injectors that name no field. It runs no
jobs, has no users and checks no other value.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.awx.store import Refused, Store

TOKEN = "stand-in-token"


class Api(ThreadingHTTPServer):
    """The server; ``store`` holds the objects, ``requests`` every (method, path) that came in."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = Store()
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return "http://127.0.0.1:%d" % self.server_address[1]

    def __enter__(self) -> Api:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def writes(self) -> list[tuple[str, str]]:
        return [entry for entry in self.requests if entry[0] != "GET"]


class _Handler(BaseHTTPRequestHandler):
    server: Api
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet: the test reads ``requests``."""

    def _answer(self, status: int, content: Any = None) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.end_headers()
        self.wfile.write(body)

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        self.server.requests.append((self.command, parts.path))
        length = int(self.headers.get("Content-Length") or 0)
        data = json.loads(self.rfile.read(length) or b"{}")
        if self.headers.get("Authorization") != "Bearer " + TOKEN:
            self._answer(401, {"detail": "Authentication credentials were not provided."})
            return
        match = re.fullmatch(r"/api/v2/([a-z_]+)/(?:(\d+)/(?:([a-z_]+)/)?)?", parts.path)
        if not match:
            self._answer(404, {"detail": "Not found."})
            return
        try:
            self._route(match.group(1), match.group(2), match.group(3), dict(parse_qsl(parts.query)), data)
        except KeyError:
            self._answer(404, {"detail": "Not found."})
        except Refused as refused:
            self._answer(400, refused.args[0])

    def _route(self, kind: str, number: str | None, below: str | None, query: dict[str, str], data: Any) -> None:
        store, method = self.server.store, self.command
        with store.lock:
            if number is None:
                if method == "POST":
                    self._answer(201, store.create(kind, data))
                else:
                    self._answer(200, _page(store.find(kind, query)))
            elif below == "survey_spec":
                self._answer(200, store.survey(kind, int(number), method, data))
            elif below == "create_approval_template":
                self._answer(201, store.create_approval(int(number), data))
            elif below is not None:
                if method == "POST":
                    store.associate(kind, int(number), below, data)
                    self._answer(204)
                else:
                    self._answer(200, _page(store.associated(kind, int(number), below)))
            elif method == "PATCH":
                self._answer(200, store.change(kind, int(number), data))
            elif method == "DELETE":
                store.delete(kind, int(number))
                self._answer(204)
            else:
                self._answer(200, store.shown(kind, int(number)))

    do_GET = do_POST = do_PATCH = do_DELETE = _serve


def _page(results: list[dict[str, Any]]) -> dict[str, Any]:
    return {"count": len(results), "next": None, "previous": None, "results": results}
