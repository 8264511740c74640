# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that do not end, are too large, are broken, or are full of escape sequences.

``ENDLESS``, ``HUGE``, ``BROKEN`` and ``ODD`` are apps by name, to go through all of them.
"""

from __future__ import annotations

import gzip
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


def _framed(headers: bytes, body: bytes = b"{}") -> App:
    """An answer whose length is told in an odd way."""
    return raw(_OK % _KIND + headers + b"\r\n\r\n" + body)


def _to(location: str) -> App:
    """A redirect with a Location that leads nowhere, or where nobody should go."""
    return lambda request: Reply(307, {"Location": location + request.target})


def _saying(body: bytes, status: int = 200, **headers: str) -> App:
    return lambda _request: Reply(status, {"Content-Type": MANIFEST, **headers}, body)


_DIGEST = b"sha256:" + b"a" * 64
_CHUNKED = b"Transfer-Encoding: chunked"
_PACKED = gzip.compress(b" " * (32 * MIB))
ODD: dict[str, App] = {
    "gzip bomb": lambda _request: Reply(200, {"Content-Type": MANIFEST, "Content-Encoding": "gzip"}, _PACKED),
    "103 storm": raw(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 200),
    "102 for ever": lambda _request: _repeated(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 50),
    "switching protocols": raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + b"x" * 100),
    "length with a plus": _framed(b"Content-Length: +2"),
    "two lengths in one": _framed(b"Content-Length: 2, 2"),
    "length of a superscript": _framed(b"Content-Length: \xb2"),
    "length and chunks": _framed(b"Content-Length: 5\r\n" + _CHUNKED, b"2\r\n{}\r\n0\r\n\r\n"),
    "chunked twice": _framed(_CHUNKED + b", chunked", b"2\r\n{}\r\n0\r\n\r\n"),
    "negative chunk": _framed(_CHUNKED, b"-5\r\n{}\r\n0\r\n\r\n"),
    "chunk of 1_0": _framed(_CHUNKED, b"1_0\r\n{}\r\n0\r\n\r\n"),
    "endless chunk extension": lambda _request: _repeated(_OK % _KIND + _CHUNKED + b"\r\n\r\n2;", b"x" * 65536),
    "chunks of a byte": lambda _request: _repeated(_OK % _KIND + _CHUNKED + b"\r\n\r\n", b"1\r\n \r\n" * 5000),
    "HTTP/0.9": raw(b"<html>hello</html>"),
    "HTTP/2": raw(b"\0\0\x12\4\0\0\0\0\0PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/9.9": raw(b"HTTP/9.9 200 OK\r\n\r\n"),
    "status 999": raw(b"HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n"),
    "status 000": raw(b"HTTP/1.1 000 x\r\nContent-Length: 0\r\n\r\n"),
    "status +200": raw(b"HTTP/1.1 +200 x\r\nContent-Length: 0\r\n\r\n"),
    "204 with a body": raw(b"HTTP/1.1 204 x\r\nContent-Length: 10\r\n\r\n0123456789"),
    "206": raw(b"HTTP/1.1 206 x\r\nContent-Range: bytes 0-1/99\r\nContent-Length: 2\r\n\r\n{}"),
    "location of a file": _to("file:///etc/shadow"),
    "location of data": _to("data:application/json,{}"),
    "location of gopher": _to("gopher://127.0.0.1:25/_x"),
    "empty location": lambda _request: Reply(307, {"Location": ""}),
    "two locations": lambda _request: Reply(307, {"Location": ["https://a.test/", "https://b.test/"]}),  # type: ignore[dict-item]
    "long location": _to("https://source.test:5000/" + "x" * 60_000),
    "location with a broken address": _to("https://[::1"),
    "location with a zone": _to("https://[fe80::1%25eth0]"),
    "location at port 0": _to("https://source.test:0"),
    "location at port 99999": _to("https://source.test:99999"),
    "digest in capitals": _saying(b"{}", **{"Docker-Content-Digest": "SHA256:" + "A" * 64}),
    "digest of SHA-512": _saying(b"{}", **{"Docker-Content-Digest": "sha512:" + "a" * 128}),
    "empty digest": _saying(b"{}", **{"Docker-Content-Digest": ""}),
    "long challenge": lambda _request: Reply(401, {"WWW-Authenticate": "Bearer " + "a=" * 30_000}),
    "long Retry-After": _saying(b"", 429, **{"Retry-After": "9" * 400}),
    "Retry-After in the year 9999": _saying(b"", 503, **{"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}),
    "Retry-After of no date": _saying(b"", 429, **{"Retry-After": "Fri, 99 Foo 0000 99:99:99 ABC"}),
    "deep errors": _saying(b'{"errors":[{"message":"m","detail":' + b"[" * 60_000, 400),
    "many errors": _saying(b'{"errors":[' + b'{"message":["x"],"detail":{"a":"y"}},' * 20_000 + b"{}]}", 400),
    "half a character": _saying(b'{"errors":[{"message":"\\ud800 \\udfff","code":"\\ud800"}]}', 400),
    "NaN": _saying(b'{"schemaVersion":NaN,"config":{"size":Infinity,"digest":"' + _DIGEST + b'"},"layers":[]}'),
    "1e400": _saying(b'{"schemaVersion":2,"config":{"size":1e400,"digest":"' + _DIGEST + b'"},"layers":[]}'),
    "keys twice": _saying(b'{"layers":[],"layers":{},"config":1,"config":null}'),
}
"""What no server says that means well: how an answer is framed, where it leads, what it holds."""


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
