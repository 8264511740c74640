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

from ansible_collections.k3sfleet.registries.plugins.module_utils._probe import wire
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.failure import (
    Failure,
    http_failure,
    status_failure,
    status_text,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.proxy import Proxy

USER_AGENT = "containerd/2.1"
"""Some registries and firewalls look at it, so it has to begin as containerd's own."""

_UNSAFE = re.compile(r"[\x00-\x20\x7f]")


class Answer(NamedTuple):
    """What came back: ``url`` is that of the last request, after redirects."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    url: str

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    @property
    def host(self) -> str:
        return host_of(self.url)


def host_of(url: str) -> str:
    """``host[:port]`` of a URL, without userinfo."""
    return urlsplit(url).netloc.rpartition("@")[2]


class _Socket:
    """What ``http.client`` wants of a socket."""

    def __init__(self, connection: wire.Plain | wire.Tls) -> None:
        self._connection = connection

    def makefile(self, *_arguments: Any, **_more: Any) -> io.BufferedReader:
        return io.BufferedReader(wire.Reader(self._connection))


def shown(url: str) -> str:
    """A URL for people: without userinfo, and without the values of parameters, which may be signatures."""
    parts = urlsplit(url)
    query = "?" + parts.query if re.fullmatch(r"ns=[\w.:-]+", parts.query) else "?..." if parts.query else ""
    return f"{parts.scheme}://{host_of(url)}{parts.path}{query}"


def head(method: str, target: str, fields: Mapping[str, str]) -> bytes:
    """The bytes of a request up to its body. What could end a line early is escaped."""
    target = _UNSAFE.sub(lambda match: f"%{ord(match.group()):02X}", target)
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: " + re.sub(r"[\r\n]", " ", value) for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def response_of(connection: wire.Plain | wire.Tls, method: str, doing: str) -> http.client.HTTPResponse:
    """The answer to a request, its headers read.

    :param doing: the request in words, for the failure's text.
    :raises Failure: where none comes, or what comes is not HTTP.
    """
    response = http.client.HTTPResponse(_Socket(connection), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
    except http.client.HTTPException as error:
        raise http_failure(error, doing) from None
    except ValueError:
        raise Failure("not_http", f"{doing}: the answer is not HTTP") from None
    return response


def content_of(response: http.client.HTTPResponse, limit: int, doing: str) -> tuple[bytes, bool]:
    """The body as far as the limit, and whether that was all.

    :raises Failure: where it ends before its announced length.
    """
    try:
        content = response.read(limit)
        more = len(content) >= limit and not response.isclosed()
        if not more and response.length:
            raise Failure("connection_reset", f"{doing}: the answer ended early")
        return content, not more
    except http.client.HTTPException as error:
        raise http_failure(error, doing) from None
    except ValueError:
        raise Failure("not_http", f"{doing}: the answer's body is not HTTP") from None


def make_tunnel(connection: wire.Plain | wire.Tls, host: str, proxy: Proxy) -> None:
    """Has a proxy connect to a host, so that everything sent from then on goes there.

    :raises Failure: where it does not.
    """
    target = host if re.search(r":\d+\Z", host) else host + ":443"
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
