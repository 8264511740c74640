# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that do not end, are too large, are broken, or are full of escape sequences.

``ENDLESS``, ``HUGE`` and ``BROKEN`` are apps by name, to go through all of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.hostile.certificates import ESCAPES
from tests.hostile.server import App, Request
from tests.registry_faults.servers import INDEX, MANIFEST, Reply

MIB = 1 << 20
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
_KIND = MANIFEST.encode()


def _repeated(begin: bytes, chunk: bytes, pause: float = 0.0) -> Iterator[bytes]:
    yield begin
    while True:
        yield chunk
        if pause:
            time.sleep(pause)


def endless_continue(_request: Request) -> Iterator[bytes]:
    """``100 Continue`` for ever, as fast as they are taken."""
    return _repeated(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def slow_continue(_request: Request) -> Iterator[bytes]:
    """``100 Continue`` for ever, each in time for a timeout of silence."""
    return _repeated(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05)


def endless_headers(_request: Request) -> Iterator[bytes]:
    return _repeated(_OK % _KIND, b"X-Filler: " + b"x" * 1000 + b"\r\n")


def endless_header_line(_request: Request) -> Iterator[bytes]:
    return _repeated(_OK % _KIND + b"X-Filler: ", b"x" * 65536)


def endless_status_line(_request: Request) -> Iterator[bytes]:
    return _repeated(b"HTTP/1.1 200 ", b"O" * 65536)


def endless_body(_request: Request) -> Iterator[bytes]:
    return _repeated(_OK % _KIND + b"\r\n", b" " * 65536)


def endless_json(_request: Request) -> Iterator[bytes]:
    """A manifest, or a token, that never ends and is no broken JSON as far as it has come."""
    return _repeated(_OK % _KIND + b'\r\n{"token":"', b"x" * 65536)


def endless_chunks(_request: Request) -> Iterator[bytes]:
    return _repeated(_OK % _KIND + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n")


def endless_trailers(_request: Request) -> Iterator[bytes]:
    return _repeated(_OK % _KIND + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"X-Filler: x\r\n" * 100)


def dripping_body(_request: Request) -> Iterator[bytes]:
    """One byte every 50 ms: no silence, and no end."""
    return _repeated(_OK % _KIND + b"Content-Length: 1000000\r\n\r\n", b" ", 0.05)


def dripping_headers(_request: Request) -> Iterator[bytes]:
    return _repeated(_OK % _KIND, b"X: x\r\n", 0.05)


ENDLESS: dict[str, App] = {
    app.__name__: app
    for app in (
        endless_continue, slow_continue, endless_headers, endless_header_line, endless_status_line, endless_body,
        endless_json, endless_chunks, endless_trailers, dripping_body, dripping_headers,
    )
}  # fmt: skip


def large(mebibytes: int, kind: str = MANIFEST) -> App:
    """A body of so many MiB, announced and sent in full."""

    def app(request: Request) -> Iterator[bytes]:
        yield _OK % kind.encode() + b"Content-Length: %d\r\n\r\n" % (mebibytes * MIB)
        for _number in range(0 if request.method == "HEAD" else mebibytes):
            yield b" " * MIB

    return app


def large_header(kibibytes: int) -> App:
    """One header of so many KiB before a small answer."""
    return lambda _request: Reply(200, {"Content-Type": MANIFEST, "X-Filler": "x" * (kibibytes << 10)}, b"{}")


def many_headers(number: int) -> App:
    return lambda _request: Reply(200, {"Content-Type": MANIFEST, **{f"X-{i}": "x" * 40 for i in range(number)}}, b"{}")


def deep_json(_request: Request) -> Reply:
    """JSON that is nested deeper than a parser's stack."""
    return Reply(200, {"Content-Type": MANIFEST}, b'{"token":' + b"[" * 500_000)


def long_number(_request: Request) -> Reply:
    """A number with more digits than is good for whoever makes one of them."""
    return Reply(200, {"Content-Type": MANIFEST}, b'{"size":' + b"9" * 3_000_000 + b"}")


def many_manifests(_request: Request) -> Reply:
    """An index with more entries than a registry has platforms."""
    entry = b'{"mediaType":"%s","digest":"sha256:%s","size":1},' % (_KIND, b"a" * 64)
    return Reply(200, {"Content-Type": INDEX}, b'{"schemaVersion":2,"manifests":[' + entry * 20_000 + b"{}]}")


HUGE: dict[str, App] = {
    "manifest of 1.5 GiB": large(1536),
    "manifest of 9 MiB": large(9),
    "header of 1 MiB": large_header(1024),
    "5000 headers": many_headers(5000),
    "deep JSON": deep_json,
    "long number": long_number,
    "many manifests": many_manifests,
}


def raw(content: bytes) -> App:
    """Exactly these bytes, then the end."""
    return lambda _request: iter([content])


BROKEN: dict[str, App] = {
    "nothing": lambda _request: None,
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    "binary": raw(bytes(range(256)) * 8),
    "no status": raw(b"HTTP/1.1 \r\n\r\n"),
    "status of words": raw(b"HTTP/1.1 two hundred\r\n\r\n"),
    "negative length": raw(_OK % _KIND + b"Content-Length: -1\r\n\r\n{}"),
    "huge length": raw(_OK % _KIND + b"Content-Length: 99999999999999999999\r\n\r\n{}"),
    "two lengths": raw(_OK % _KIND + b"Content-Length: 2\r\nContent-Length: 90\r\n\r\n{}"),
    "length of words": raw(_OK % _KIND + b"Content-Length: abc\r\n\r\n{}"),
    "early end": raw(_OK % _KIND + b"Content-Length: 100\r\n\r\n{"),
    "broken chunk": raw(_OK % _KIND + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n"),
    "huge chunk": raw(_OK % _KIND + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}"),
    "header without colon": raw(b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n{}"),
    "NUL in a header": raw(b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}"),
    "folded header": raw(b"HTTP/1.1 200 OK\r\nX: a\r\n  b: c\r\nContent-Length: 2\r\n\r\n{}"),
    "no JSON": lambda _request: Reply(200, {"Content-Type": MANIFEST}, b"<html>"),
    "JSON list": lambda _request: Reply(200, {"Content-Type": MANIFEST}, b"[1]"),
    "JSON null": lambda _request: Reply(200, {"Content-Type": MANIFEST}, b"null"),
    "no text": lambda _request: Reply(200, {"Content-Type": MANIFEST}, b"\xff\xfe{}"),
    "token with a line feed": lambda _request: Reply(
        200,
        {"Content-Type": "application/json"},
        b'{"token":"a\\nX-Injected: yes","access_token":"a\\r\\n\\r\\nGET /"}',
    ),
    "odd index": lambda _request: Reply(
        200, {"Content-Type": INDEX}, b'{"manifests":[1,null,{"digest":3},{"digest":"../../x","platform":7}]}'
    ),
    "odd manifest": lambda _request: Reply(
        200, {"Content-Type": MANIFEST}, b'{"config":{"digest":"sha256:../../etc","size":"x"},"layers":{"a":1}}'
    ),
}


def escapes(status: int = 403) -> App:
    """Escape sequences and line breaks wherever a registry may put words: reason, headers, challenge, body."""
    words = ESCAPES.replace("\r", "\t").replace("\n", "\t")

    def app(_request: Request) -> Iterator[bytes]:
        body = b'{"errors":[{"code":"DENIED","message":%s}]}' % _json_text(ESCAPES)
        head = (
            f"HTTP/1.1 {status} {words}\r\nContent-Type: application/{words}\r\nX-Words: {words}\r\n"
            f'WWW-Authenticate: Bearer realm="https://{words}/",service="{words}"\r\nLocation: https://{words}/\r\n'
            f"Docker-Content-Digest: sha256:{words}\r\nRetry-After: {words}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode("utf-8") + body

    return app


def _json_text(text: str) -> bytes:
    """As JSON without escapes: what a parser gives back has the characters themselves."""
    return ('"' + "".join(f"\\u{ord(char):04x}" if ord(char) < 32 else char for char in text) + '"').encode("utf-8")
