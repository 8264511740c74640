# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single HTTP messages on a connection: what is asked, what comes back and how much of it, a proxy's tunnel."""

from __future__ import annotations

import http.client
import io
import re
import sys
from typing import Any, Callable, Iterable, Iterator, Mapping, NamedTuple, TypeVar
from urllib.parse import urlsplit

from .failure import Failure, http_failure
from .origin import Origin, bracketed
from .proxy import Proxy
from .wire import Reader, Stream

REDIRECTS = (301, 302, 303, 307, 308)
_UNSAFE = re.compile(r"[\x00-\x20\x7f]")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LARGEST_HEAD = 64 << 10
_LONGEST_PATH = 300
_PIECE = 64 << 10


def host_of(url: str) -> str:
    """``host[:port]`` of a URL, without userinfo."""
    return urlsplit(url).netloc.rpartition("@")[2]


def media_type_of(headers: http.client.HTTPMessage) -> str:
    """The content type without parameters, in lower case."""
    return (headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def location_of(headers: http.client.HTTPMessage) -> str:
    """Where a redirect leads, as its server wrote it: in UTF-8, as Go reads it."""
    text = (headers.get("Location") or "").strip()
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


class Connection(NamedTuple):
    """A stream to a server, and the proxy that it goes through."""

    stream: Stream
    proxy: Proxy | None


class _Socket:
    """What ``http.client`` wants of a socket."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def makefile(self, *_arguments: Any, **_more: Any) -> io.BufferedReader:
        return io.BufferedReader(self._reader)


def shown(url: str) -> str:
    """A URL for people: without userinfo, and without the values of parameters, which may be signatures."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL that is none"
    query = "?" + parts.query if re.fullmatch(r"ns=[\w.:-]+", parts.query) else "?..." if parts.query else ""
    path = parts.path if len(parts.path) <= _LONGEST_PATH else "/..."
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}{query}"


def ask(
    stream: Stream, method: str, url: str, headers: Mapping[str, str], body: Iterable[bytes] = (),
    proxy: Proxy | None = None, limit: int | None = None,
) -> http.client.HTTPResponse:  # fmt: skip
    """Send one request and read the head of its answer, whose body is still to be read.

    A server may answer, and stop reading, before it has all of a body: then that answer counts.

    :param headers: ``Host`` among them.
    :param proxy: that the stream leads to, if it does.
    :param limit: how much of the answer's body will be read; None for all of it.
    :raises Failure: if none comes, or what comes is not HTTP.
    """
    parts, fields = urlsplit(url), dict(headers)
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    if proxy is not None and parts.scheme == "http":
        target = "http://" + fields["Host"] + target
        if proxy.authorization:
            fields["Proxy-Authorization"] = proxy.authorization
    stream.send(_head(method, target, fields))
    for piece in body:
        if stream.gone:
            break
        stream.send(piece)
    return _response(stream, method, limit)


def _head(method: str, target: str, fields: Mapping[str, str]) -> bytes:
    """The bytes of a request up to its body. What could end a line early is escaped."""
    target = _UNSAFE.sub(lambda match: f"%{ord(match.group()):02X}", target)
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: " + _CONTROL.sub(" ", value) for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def _response(stream: Stream, method: str, limit: int | None) -> http.client.HTTPResponse:
    """No more than 64 KiB of headers, whatever comes before them included."""
    reader = Reader(stream, _LARGEST_HEAD + io.DEFAULT_BUFFER_SIZE)
    response = http.client.HTTPResponse(_Socket(reader), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
    except http.client.HTTPException as error:
        raise http_failure(error, stream.doing) from None
    except ValueError:
        # http.client converts some numbers before it has looked at them.
        raise Failure("not_http", f"{stream.doing}: the answer is not HTTP") from None
    if response.status < 200:
        raise Failure("not_http", f"{stream.doing}: the answer {response.status} ends no request")
    reader.left = sys.maxsize if limit is None else _with_chunks(limit)
    return response


def _with_chunks(limit: int) -> int:
    """A body's bytes with what chunks need around their content, and trailers after it."""
    return 2 * limit + _LARGEST_HEAD


def pieces_of(response: http.client.HTTPResponse, doing: str, limit: int | None = None) -> Iterator[bytes]:
    """A body as it comes, up to the limit.

    :param doing: the request in words, for the failure's text.
    :raises Failure: if it ends before its announced length.
    """
    left = sys.maxsize if limit is None else limit
    try:
        while left > 0:
            # Some Pythons set aside as much as they are asked for, however little comes.
            piece = response.read(min(left, _PIECE))
            if not piece:
                break
            left -= len(piece)
            yield piece
        if left > 0 and response.length:
            raise Failure("connection_reset", f"{doing}: the answer ended early")
    except http.client.HTTPException as error:
        raise http_failure(error, doing) from None
    except ValueError:
        raise Failure("not_http", f"{doing}: the answer's body is not HTTP") from None


def content_of(response: http.client.HTTPResponse, doing: str, limit: int) -> tuple[bytes, bool]:
    """The body as far as the limit, and whether that was all.

    :raises Failure: as :func:`pieces_of`.
    """
    reader = getattr(response.fp, "raw", None)
    if isinstance(reader, Reader):
        # Whoever has asked need not have known yet how much of the answer would be read.
        reader.left = min(reader.left, _with_chunks(limit))
    content = b"".join(pieces_of(response, doing, limit))
    return content, len(content) < limit or response.isclosed()


def tunnel(stream: Stream, origin: Origin, proxy: Proxy, agent: str) -> int:
    """Have a proxy connect to a host; the status that it answers. After 200, everything sent goes to the host."""
    target = f"{bracketed(origin.host)}:{origin.port}"
    stream.doing = f"CONNECT {target} at the proxy {proxy.text}"
    fields = {"Host": target, "User-Agent": agent}
    if proxy.authorization:
        fields["Proxy-Authorization"] = proxy.authorization
    stream.send(_head("CONNECT", target, fields))
    return _response(stream, "CONNECT", 0).status


_Connection = TypeVar("_Connection")
_Said = TypeVar("_Said")


def said_on(kept: _Connection | None, make: Callable[[], _Connection], speak: Callable[[_Connection], _Said]) -> _Said:
    """What is said on a kept connection, or on a new one.

    A server may close a kept connection at any time: only on a fresh one does that say anything.
    """
    if kept is not None:
        try:
            return speak(kept)
        except Failure as failure:
            if failure.cause != "connection_reset":
                raise
    return speak(make())
