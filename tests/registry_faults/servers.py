# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small servers that answer as broken registries do, or not at all: for the fleet, for unit tests and for the bench."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import ssl
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    App = Callable[["Request"], "Reply"]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b""


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, {"Content-Type": "application/json", **headers}, json.dumps(value).encode())


def received(handler: BaseHTTPRequestHandler) -> Request:
    """The request that a handler has before it, its body included."""
    url = urlsplit(handler.path)
    body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    fields = {name.lower(): value for name, value in handler.headers.items()}
    return Request(handler.command, url.path or handler.path, parse_qs(url.query), fields, body)


def send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """Answer with a reply, without a body to a HEAD."""
    handler.send_response_only(reply.status)
    for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(reply.body)


class HttpServer:
    """Answers with what ``app`` returns; over TLS with a context. ``requests`` is what it was asked.

    close_after_each: hang up after each answer, without a word about it.
    """

    def __init__(
        self,
        app: App,
        context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        close_after_each: bool = False,
    ) -> None:
        self.requests: list[Request] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                request = received(self)
                requests.append(request)
                send(self, app(request))
                self.close_connection = self.close_connection or close_after_each

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_CONNECT = _answer  # noqa: N815

            def log_message(self, *_arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128

            def finish_request(self, request: Any, client_address: Any) -> None:
                # In the connection's own thread, or one that shakes no hands would stop all others.
                with contextlib.suppress(OSError):
                    if context is not None:
                        request = context.wrap_socket(request, server_side=True)
                    super().finish_request(request, client_address)

            def shutdown_request(self, request: Any) -> None:
                with contextlib.suppress(OSError):
                    super().shutdown_request(request)

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server((host, port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self) -> HttpServer:
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class RawServer:
    """Gives every connection to ``behave``, in a thread, and closes it when that returns."""

    def __init__(self, behave: Callable[[socket.socket], None], host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = socket.create_server((host, port), backlog=128)
        self.port = self._socket.getsockname()[1]
        self._behave = behave
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._behave(connection)

    def __enter__(self) -> RawServer:
        return self

    def __exit__(self, *_error: object) -> None:
        # close() alone leaves a blocked accept() and its port behind.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def silent(connection: socket.socket) -> None:
    """Takes everything, says nothing."""
    while connection.recv(4096):
        pass


def reset(connection: socket.socket) -> None:
    """Breaks off in the rudest way once it was asked something."""
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    """Closes without a word once it was asked something."""
    connection.recv(4096)


def ssh(connection: socket.socket) -> None:
    """Speaks first, and something else."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
    connection.recv(4096)


def drip(connection: socket.socket) -> None:
    """Answers one header after the other, for ever."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    number = 0
    stopped = threading.Event()
    while not stopped.wait(0.1):
        number += 1
        connection.sendall(b"X-%d: 1\r\n" % number)


def server_context(
    stem: Path, client_ca: Path | None = None, tls12: bool = False, short_keys: bool = False
) -> ssl.SSLContext:
    """TLS for a server with ``<stem>.crt`` and ``<stem>.key``, which wants clients of ``client_ca`` where given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if short_keys:
        context.set_ciphers("DEFAULT:@SECLEVEL=1")
    context.load_cert_chain(f"{stem}.crt", f"{stem}.key")
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def status(code: int, body: bytes = b"", **headers: str) -> App:
    """Always this status."""
    return lambda _request: Reply(code, headers, body)


def web_page(request: Request) -> Reply:
    """A portal: 200 and HTML for everything."""
    del request
    return Reply(200, {"Content-Type": "text/html; charset=utf-8"}, b"<!DOCTYPE html><html><body>Sign in</body></html>")


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Store:
    """The images of a registry: paths below /v2 to what is there."""

    def __init__(self) -> None:
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}

    def image(self, repository: str, tag: str, platforms: tuple[str, ...] = ("amd64", "arm64")) -> dict[str, str]:
        """An index with one image per architecture; returns the digests by what they are of."""
        digests, entries = {}, []
        for architecture in platforms:
            config = json.dumps({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers"}}).encode()
            layer = f"layer of {repository} for {architecture}".encode()
            digests["config " + architecture] = self._blob(config)
            digests["layer " + architecture] = self._blob(layer)
            body = {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
                "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
            }
            content = json.dumps(body).encode()
            digests[architecture] = self.manifest(repository, digest_of(content), MANIFEST, content)
            entries.append(
                {**_descriptor(MANIFEST, content), "platform": {"os": "linux", "architecture": architecture}}
            )
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        digests["index"] = self.manifest(repository, tag, INDEX, index)
        return digests

    def manifest(self, repository: str, reference: str, kind: str, content: bytes) -> str:
        digest = digest_of(content)
        self.manifests[repository, reference] = self.manifests[repository, digest] = (kind, content)
        return digest

    def _blob(self, content: bytes) -> str:
        self.blobs[digest_of(content)] = content
        return digest_of(content)

    def __call__(self, request: Request) -> Reply:
        if request.path in ("/v2", "/v2/"):
            return json_reply({})
        repository, kind, name = ("//" + request.path[len("/v2/") :]).rsplit("/", 2)
        repository = repository[2:]
        if kind == "manifests" and (repository, name) in self.manifests:
            media_type, content = self.manifests[repository, name]
            return Reply(200, {"Content-Type": media_type, "Docker-Content-Digest": digest_of(content)}, content)
        if kind == "blobs" and name in self.blobs:
            return Reply(200, {"Content-Type": "application/octet-stream"}, self.blobs[name])
        return json_reply({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, 404)


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port of this machine at which nothing listens, and nothing else begins to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def tunnel_to(port: int) -> Callable[[socket.socket], None]:
    """A proxy that answers every CONNECT with a tunnel to one port of this machine, and nothing else."""

    def behave(connection: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            data = connection.recv(4096)
            if not data:
                return
            asked += data
        if not asked.startswith(b"CONNECT "):
            return
        with socket.create_connection(("127.0.0.1", port)) as other:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(other, connection), daemon=True)
            back.start()
            _copy(connection, other)
            back.join()

    return behave


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
