# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single HTTP messages on a connection: what is asked, what comes back, a proxy's tunnel."""

from __future__ import annotations

import http.client
import io
import re
from typing import Any, Mapping, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http import wire
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import (
    Failure,
    http_failure,
    status_failure,
    status_text,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import Origin, origin_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.proxy import Proxy

USER_AGENT = "containerd/2.1"
"""Some registries and firewalls look at it, so it has to begin as containerd's own."""

_UNSAFE = re.compile(r"[\x00-\x20\x7f]")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LARGEST_HEAD = 64 << 10
_LONGEST_PATH = 300
_PIECE = 64 << 10


class Answer(NamedTuple):
    """What came back: ``url`` is that of the last request, after redirects; ``complete``: whether ``body`` is all."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    url: str
    complete: bool = True

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    @property
    def host(self) -> str:
        """As it stands in the URL, byte for byte: that is what containerd looks for in ``configs``."""
        return host_of(self.url)

    @property
    def location(self) -> str:
        """Where a redirect leads, as its server wrote it: in UTF-8, as Go reads it."""
        text = self.headers.get("Location") or ""
        try:
            return text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return text

    @property
    def origin(self) -> Origin:
        return origin_of(self.url)


def host_of(url: str) -> str:
    """``host[:port]`` of a URL, without userinfo."""
    return urlsplit(url).netloc.rpartition("@")[2]


class _Socket:
    """What ``http.client`` wants of a socket."""

    def __init__(self, reader: wire.Reader) -> None:
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


def head(method: str, target: str, fields: Mapping[str, str]) -> bytes:
    """The bytes of a request up to its body. What could end a line early is escaped."""
    target = _UNSAFE.sub(lambda match: f"%{ord(match.group()):02X}", target)
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: " + _CONTROL.sub(" ", value) for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def response_of(connection: wire.Plain | wire.Tls, method: str, doing: str, limit: int = 0) -> http.client.HTTPResponse:
    """The answer to a request, its headers read: no more than 64 KiB of them, whatever comes before them included.

    :param doing: the request in words, for the failure's text.
    :param limit: how much of its body will be read.
    :raises Failure: where none comes, or what comes is not HTTP.
    """
    reader = wire.Reader(connection, _LARGEST_HEAD + io.DEFAULT_BUFFER_SIZE)
    response = http.client.HTTPResponse(_Socket(reader), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
    except http.client.HTTPException as error:
        raise http_failure(error, doing) from None
    except ValueError:
        raise Failure("not_http", f"{doing}: the answer is not HTTP") from None
    # What chunks need around their content, and trailers after it.
    reader.left = 2 * limit + _LARGEST_HEAD
    return response


def content_of(response: http.client.HTTPResponse, limit: int, doing: str) -> tuple[bytes, bool]:
    """The body as far as the limit, and whether that was all.

    :raises Failure: where it ends before its announced length.
    """
    pieces = []
    left = limit
    try:
        while left > 0:
            # Some Pythons set aside as much as they are asked for, however little comes.
            piece = response.read(min(left, _PIECE))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        more = left <= 0 and not response.isclosed()
        if not more and response.length:
            raise Failure("connection_reset", f"{doing}: the answer ended early")
        return b"".join(pieces), not more
    except http.client.HTTPException as error:
        raise http_failure(error, doing) from None
    except ValueError:
        raise Failure("not_http", f"{doing}: the answer's body is not HTTP") from None


def make_tunnel(connection: wire.Plain | wire.Tls, target: str, proxy: Proxy) -> None:
    """Has a proxy connect to a host, so that everything sent from then on goes there.

    :param target: ``host:port``.
    :raises Failure: where it does not.
    """
    connection.doing = doing = f"CONNECT {target} at the proxy {proxy.text}"
    fields = {"Host": target, "User-Agent": USER_AGENT}
    if proxy.authorization:
        fields["Proxy-Authorization"] = proxy.authorization
    connection.send(head("CONNECT", target, fields))
    status = response_of(connection, "CONNECT", doing).status
    if status != 200:
        connection.close()
        if status < 500 and status not in (403, 407, 429):
            raise Failure("server_error", f"{doing}: {status_text(status)}", status)
        raise status_failure(status, "", doing)
