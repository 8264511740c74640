# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a real containerd gives the credentials that come with a pull: the facts that the proof of the credential store
rests on. They bear no server's name, so everybody who is asked for the image gets them on demand."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Callable

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable
from tests.conformance.registries import LOOPBACK

# isort: split
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.pull import pull
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.store import Login
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.challenge import basic_header

if TYPE_CHECKING:
    from tests.conformance.containerd import Containerd

_LOGIN = Login("robot", "canary-of-the-conformance")
_IMAGE = "registry.example.com/team/app:1"
_SECONDS = 20.0


class Server(ThreadingHTTPServer):
    """A registry that wants a login, and has no image. With ``leads_to`` it sends whoever has logged in elsewhere.

    :ivar given: whether it was given the credentials.
    """

    daemon_threads = True

    def __init__(self, leads_to: Callable[[str], str] | None = None) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.leads_to = leads_to
        self.given = False

    def __enter__(self) -> Server:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.shutdown()
        self.server_close()

    def url(self, host: str = LOOPBACK) -> str:
        return f"http://{host}:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        logged_in = self.headers["Authorization"] == basic_header(*_LOGIN)
        self.server.given = self.server.given or logged_in
        if not logged_in:
            self._answer(401, ("WWW-Authenticate", 'Basic realm="conformance"'))
        elif self.server.leads_to is not None:
            self._answer(307, ("Location", self.server.leads_to(self.path)))
        else:
            self._answer(404, ("Content-Type", "application/json"))

    do_HEAD = do_GET

    def _answer(self, status: int, header: tuple[str, str]) -> None:
        self.send_response(status)
        self.send_header(*header)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Nothing on the terminal."""


def check(containerd: Containerd) -> list[str]:
    """What is not as the proof takes it to be, as sentences."""
    with ExitStack() as stack:
        storage = stack.enter_context(Server())
        # Another name for this machine, so that it is another host.
        mirror = stack.enter_context(Server(lambda path: storage.url("localhost") + path))
        second = stack.enter_context(Server())
        registry = stack.enter_context(Server())
        bystander = stack.enter_context(Server())
        tables = "".join(
            f'[host."{server.url()}/v2"]\n  capabilities = ["pull", "resolve"]\n' for server in (mirror, second)
        )
        containerd.configure({"registry.example.com": f'server = "{registry.url()}/v2"\n{tables}'})
        outcome = pull(_IMAGE, _LOGIN, _SECONDS, str(containerd.folder / "containerd.sock"))
        wrong = [] if outcome.status == 1 else [f"the pull of an image that nobody has ended with {outcome}"]
        for who, server in (
            ("the first endpoint", mirror),
            ("the second endpoint", second),
            ("the default endpoint", registry),
            ("the host that a redirect leads to", storage),
        ):
            if not server.given:
                wrong.append(f"{who} did not get the credentials that came with the pull")
        if bystander.given:
            wrong.append("a server that nothing names got the credentials that came with the pull")
        return wrong
