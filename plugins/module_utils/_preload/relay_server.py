# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay: one node of a site serves the archives that it has to the others, for one run.

It knows no token, only the digests of those that it accepts, one for each host of its site. It ends when the file that
says it runs is removed, and by itself when its time is over. The way to a file is looked up by its digest, and nothing
else can be asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.server
import os
import re
import socket
import socketserver
import ssl
import threading
import time
from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import client_pair, files

from .relay_problems import CannotServe

RUNNING = "/run/k3sfleet-preload"
"""The folder of the files that say which relays run. Removing such a file ends its relay."""

PATH = "/v1/archive/"
NAME = "relay.k3sfleet.invalid"
"""In the relay's certificate. It is trusted by what it is, and not by where it is reached."""

_PIECE = 1 << 18
_PATIENCE = 30.0
_MOST_AT_ONCE = 64
_LOOK = 0.5
_RANGE = re.compile(r"bytes=(\d{1,15})-")


class Offer(NamedTuple):
    """What a relay serves.

    :ivar paths: by the digest of the archive.
    :ivar tokens: the digests of the tokens that it accepts.
    """

    paths: Mapping[str, str]
    tokens: frozenset[str]


def digest_of_token(token: str) -> str:
    """By which a relay knows a token."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()


def context_of(certificate: str, key: str) -> ssl.SSLContext:
    """The server's side of TLS; the key is in no file that has a name.

    :raises ssl.SSLError: if they do not fit together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    client_pair.load_texts(context, certificate.encode("ascii"), key.encode("ascii"))
    return context


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Serves an offer. A handshake takes place in the thread of its connection, so that none holds the others up."""

    daemon_threads = True
    address_family = socket.AF_INET

    def __init__(self, port: int, context: ssl.SSLContext, offer: Offer) -> None:
        self.offer, self._context = offer, context
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__(("0.0.0.0", port), Handler)  # noqa: S104

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            request.settimeout(_PATIENCE)
            with self._context.wrap_socket(request, server_side=True) as secured:
                Handler(secured, client_address, self)
        except (OSError, ValueError):
            # Whoever speaks no TLS, hangs up, or says nothing.
            pass
        finally:
            with contextlib.suppress(OSError):
                request.close()
            self._room.release()


class Handler(http.server.BaseHTTPRequestHandler):
    """One request. The answer has a length always, so that a connection serves several."""

    protocol_version = "HTTP/1.1"
    server_version = "k3sfleet-preload"
    sys_version = ""
    timeout = _PATIENCE

    def do_GET(self) -> None:
        offer: Offer = self.server.offer  # type: ignore[attr-defined]
        scheme, _space, token = (self.headers.get("Authorization") or "").partition(" ")
        given = digest_of_token(token)
        if scheme != "Bearer" or not any(hmac.compare_digest(given, known) for known in offer.tokens):
            self._say(401)
            return
        path = offer.paths.get(self.path[len(PATH) :]) if self.path.startswith(PATH) else None
        if path is None:
            self._say(404)
            return
        try:
            with open(path, "rb") as source:
                self._send(source)
        except FileNotFoundError:
            self._say(404)

    def _send(self, source: Any) -> None:
        size = os.fstat(source.fileno()).st_size
        begin, wanted = 0, self.headers.get("Range")
        if wanted is not None:
            match = _RANGE.fullmatch(wanted)
            begin = int(match.group(1)) if match else size
            if begin >= size:
                self._say(416)
                return
        self.send_response(200 if wanted is None else 206)
        if wanted is not None:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (begin, size - 1, size))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size - begin))
        self.end_headers()
        source.seek(begin)
        left = size - begin
        while left:
            piece = source.read(min(_PIECE, left))
            if not piece:
                self.close_connection = True
                return
            self.wfile.write(piece)
            left -= len(piece)

    def _say(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is logged: requests carry tokens."""


def listening(port: int, context: ssl.SSLContext, offer: Offer) -> Server:
    """A server that listens already.

    :param port: 0 for any that is free.
    :raises CannotServe: if it is taken.
    """
    try:
        return Server(port, context, offer)
    except OSError as error:
        raise CannotServe(
            "the relay cannot listen on port %d: %s. Set another k3s_image_preload_relay_port" % (port, error.strerror)
        ) from error


def start(server: Server, run: str, seconds: float) -> None:
    """Serve in a process of its own, which outlives the module.

    :param run: names the relay for :func:`stop`.
    :raises FileProblem: if the file that says it runs cannot be written.
    """
    mark = _mark(run)
    files.write(mark, b"%d\n" % server.server_address[1], 0o600, through_link=False)
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        server.server_close()
        return
    # A process without a terminal and without a parent that waits for it. Ansible would wait for open outputs.
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        os.chdir("/")
        serve(server, lambda: os.path.exists(mark), seconds)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(mark)
        os._exit(0)


def serve(server: Server, wanted: Callable[[], bool], seconds: float) -> None:
    """Serve until it is not wanted any more, or the time is over."""
    until = time.monotonic() + seconds
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _LOOK}, daemon=True).start()
    while wanted() and time.monotonic() < until:
        time.sleep(_LOOK)
    server.shutdown()
    server.server_close()


def stop(run: str) -> None:
    """End a relay, if it runs.

    :raises FileProblem: if that is not possible.
    """
    files.remove(_mark(run), through_link=False)


def _mark(run: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{1,64}", run):
        raise ValueError("%.90r names no run" % run)
    return os.path.join(RUNNING, run)
