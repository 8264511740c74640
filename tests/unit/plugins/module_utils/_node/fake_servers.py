# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of a cluster in threads, each at a loopback address of its own: an API and an etcd behind real TLS.

They answer what a K3s v1.34.3 was seen to answer, and ask for a client certificate as it does.
"""

from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import json
import socket
import socketserver
import ssl
import struct
import threading
from pathlib import Path
from typing import Any, Iterator

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DAY = datetime.timedelta(days=1)


class Authority:
    """A CA and the certificates that it signs, as PEM."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key.public_key(), True)

    def _sign(self, name: x509.Name, key: Any, authority: bool = False) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - _DAY)
        builder = builder.not_valid_after(now + _DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return builder.add_extension(names, critical=False).sign(self.key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def pair(self, name: str) -> tuple[bytes, bytes]:
        """A certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key())
        return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def server_context(folder: Path, authority: Authority, required: bool) -> ssl.SSLContext:
    certificate, key = authority.pair("server")
    path = folder / "serving.pem"
    path.write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=authority.pem.decode())
    return context


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients without a certificate are no news."""


class API:
    """``answers``: path to status and text. Without a client certificate it says 401, as K3s' does."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self.answers: dict[str, tuple[int, str]] = {"/readyz": (200, "ok")}
        self.asked: list[str] = []
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                api.asked.append(self.path)
                status, text = api.answers.get(path, (404, "not found"))
                if not self.connection.getpeercert():  # type: ignore[attr-defined]
                    status, text = 401, "Unauthorized"
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = _Server((host, port), Handler)
        self.address = self.server.server_address
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """May be called again."""
        self.server.shutdown()
        self.server.server_close()


def field(number: int, value: int | bytes) -> bytes:
    """A protobuf field."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    content = b""
    while value >= 0x80:
        content += bytes([value & 0x7F | 0x80])
        value >>= 7
    return content + bytes([value])


def member(ident: int, name: str, url: str, learner: bool = False) -> bytes:
    content = field(1, ident) + field(2, name.encode()) + field(3, b"https://peer:2380")
    content += field(4, url.encode()) if url else b""
    return content + (field(5, 1) if learner else b"")


class Etcd:
    """A member of etcd, ``ident``, on its client port. ``silent``: it takes connections and says nothing."""

    cluster = 0xE9C4C7F2A7B3D5BE

    def __init__(self, host: str, port: int, context: ssl.SSLContext, ident: int) -> None:
        self.ident, self.leader, self.errors, self.silent = ident, 1, [], False  # type: ignore[var-annotated]
        self.members: list[bytes] = []
        self.raw: bytes | None = None
        context.set_alpn_protocols(["h2"])
        self.context = context
        self.socket = socket.create_server((host, port))
        self.address = self.socket.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        """May be called again."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _address = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(plain,), daemon=True).start()

    def _answer(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain, self.context.wrap_socket(plain, server_side=True) as connection:
            if self.silent:
                connection.recv(1)
                threading.Event().wait(10)
            self._call(connection)

    def _call(self, connection: ssl.SSLSocket) -> None:
        reader = connection.makefile("rb")
        if reader.read(len(_PREFACE)) != _PREFACE:
            return
        connection.sendall(_frame(4, 0, 0, b"") + _frame(6, 0, 0, b"12345678") + _frame(8, 0, 0, b"\0\0\xff\xff"))
        headers = b""
        while True:
            head = reader.read(9)
            if len(head) < 9:
                return
            length = struct.unpack("!I", b"\0" + head[:3])[0]
            kind, flags, _stream = struct.unpack("!BBI", head[3:])
            payload = reader.read(length)
            headers = payload if kind == 1 else headers
            if kind == 0 and flags & 1:
                break
        if self.raw is not None:
            connection.sendall(self.raw)
            return
        header = field(1, field(1, self.cluster) + field(2, self.ident))
        if b"/etcdserverpb.Cluster/MemberList" in headers:
            body = header + b"".join(field(2, item) for item in self.members)
        elif b"/etcdserverpb.Maintenance/Status" in headers:
            body = header + field(2, b"3.6.6") + (field(4, self.leader) if self.leader else b"")
            body += b"".join(field(8, error.encode()) for error in self.errors)
        else:
            connection.sendall(_frame(1, 5, 1, b"\x88"))
            return
        message = b"\0" + struct.pack("!I", len(body)) + body
        # In two frames, the first of them padded, and trailers: as much as HTTP/2 allows in so short an answer.
        connection.sendall(
            _frame(1, 4, 1, b"\x88")
            + _frame(0, 8, 1, b"\3" + message[:7] + b"\0\0\0")
            + _frame(0, 0, 1, message[7:])
            + _frame(1, 5, 1, b"\x40\x0bgrpc-status\x010")
        )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


@contextlib.contextmanager
def stopped(*servers: Any) -> Iterator[None]:
    try:
        yield
    finally:
        for server in servers:
            server.stop()


def endpoints(*addresses: tuple[str, int]) -> str:
    subsets = [{"addresses": [{"ip": host}], "ports": [{"name": "https", "port": port}]} for host, port in addresses]
    return json.dumps({"kind": "Endpoints", "apiVersion": "v1", "subsets": subsets})
