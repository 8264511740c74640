# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP requests with kept connections, one for each thread and server. Knows nothing of credentials or redirects."""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
import threading
import weakref
from typing import Callable, Generator, Iterable, Mapping
from urllib.parse import urlsplit

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure, failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.tls import TlsSettings
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.wire import (
    Connection,
    ProxyRefused,
    TooLarge,
    ask,
    connect,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.belonging import Origin, origin_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.proxy import (
    Proxy,
    ProxyError,
    proxy_for,
)

AGENT = "k3sfleet.registries"
_CHUNK = 1 << 16
_REST = 64 << 10
"""Bytes of a body nobody wants that are read so that its connection can be kept."""

Explain = Callable[[BaseException, Origin], RegistryFailure]
Body = Callable[[], Iterable[bytes]]
"""Makes a request's body; called once for each time it is sent."""


class Reply:
    """An answer whose headers have been read; its body is still on the connection."""

    def __init__(
        self, response: http.client.HTTPResponse, url: str, origin: Origin, explain: Explain,
        release: Callable[[bool], None], sent: str = "",
    ) -> None:  # fmt: skip
        self.status = response.status
        self.headers = response.headers
        self.url = url
        self.origin = origin
        # The ``Authorization`` that it was asked with.
        self.sent = sent
        self._response = response
        self._explain = explain
        self._release = release

    def header(self, name: str) -> str:
        """A header's value, "" if there is none."""
        return (self.headers.get(name) or "").strip()

    @property
    def length(self) -> int | None:
        """The bytes that the body is said to have; None if that is not said."""
        return self._response.length

    def pieces(self) -> Generator[bytes, None, None]:
        """The body, as it comes.

        :raises RegistryFailure: if it ends before its time.
        """
        complete = False
        try:
            while True:
                piece = self._response.read(_CHUNK)
                if not piece:
                    break
                yield piece
            if self._response.length:
                raise http.client.IncompleteRead(b"", self._response.length)
            complete = True
        except ValueError as error:
            # http.client converts some numbers before it has looked at them.
            broken = http.client.HTTPException("its answer is cut in pieces wrongly")
            raise self._explain(broken, self.origin) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._explain(error, self.origin) from error
        finally:
            self._release(complete and not self._response.will_close)

    def body(self, limit: int) -> bytes:
        """All of the body.

        :raises RegistryFailure: if it is larger than ``limit`` bytes, or ends before its time.
        """
        found = bytearray()
        with contextlib.closing(self.pieces()) as pieces:
            if (self.length or 0) <= limit:
                for piece in pieces:
                    found += piece
                    if len(found) > limit:
                        break
                else:
                    return bytes(found)
        self.abandon()
        raise self._explain(TooLarge("its answer is larger than %s" % size_limit(limit)), self.origin)

    def start(self, limit: int = _REST) -> bytes:
        """The body's beginning, for messages; what is longer is left, and the connection with it."""
        found = bytearray()
        with contextlib.closing(self.pieces()) as pieces:
            try:
                for piece in pieces:
                    found += piece
                    if len(found) > limit:
                        break
            except RegistryFailure:
                return bytes(found)
        return bytes(found[:limit])

    def abandon(self) -> None:
        """Close the connection: nobody wants the rest."""
        self._release(False)


class Session:
    """Requests to whatever servers one registry leads to.

    :param explain: makes a failure of an exception.
    """

    def __init__(self, tls: TlsSettings, explain: Explain) -> None:
        self._tls = tls
        self._explain = explain
        self._local = threading.local()
        self._open: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._stopped = False

    def ask(
        self, method: str, url: str, headers: Mapping[str, str], deadline: Deadline, body: Body | None = None,
        length: int = 0, silence: float | None = None,
    ) -> Reply:  # fmt: skip
        """Ask once. A kept connection that the server has closed meanwhile is replaced by a new one.

        :param url: an absolute http or https URL.
        :param body: made anew each time it is sent; its ``length`` is announced.
        :param silence: seconds that nothing may happen for.
        :raises OriginError: if the URL names no server.
        :raises RegistryFailure: if no answer comes.
        """
        origin, parts = origin_of(url), urlsplit(url)
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        fields = {"Host": origin.netloc, "User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
        if body is not None or method in ("POST", "PUT"):
            fields["Content-Length"] = str(length)
        kept = self._kept().pop(origin, None)
        try:
            if kept is not None:
                try:
                    return self._sent(kept, method, url, target, fields, body, deadline, silence)
                except (ConnectionError, http.client.BadStatusLine, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                    # Closed after it was kept too long, which is no failure.
                    kept.close()
            fresh = self._connected(origin, deadline)
            return self._sent(fresh, method, url, target, fields, body, deadline, silence)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._explain(error, origin) from error

    def _sent(
        self, connection: Connection, method: str, url: str, target: str, fields: Mapping[str, str], body: Body | None,
        deadline: Deadline, silence: float | None,
    ) -> Reply:  # fmt: skip
        origin = origin_of(url)
        given = dict(fields)
        if connection.proxy is not None:
            target = origin.text + target
            if connection.proxy.authorization:
                given["Proxy-Authorization"] = connection.proxy.authorization
        connection.within(deadline, silence)
        try:
            response = ask(connection, method, target, given, body() if body is not None else ())
        except BaseException:
            connection.close()
            raise

        def release(reusable: bool) -> None:
            if reusable and origin not in self._kept():
                self._kept()[origin] = connection
            else:
                connection.close()

        return Reply(response, url, origin, self._explain, _once(release), fields.get("Authorization", ""))

    def _connected(self, origin: Origin, deadline: Deadline) -> Connection:
        proxy = self._proxy(origin)
        with self._lock:
            if self._stopped:
                raise failure("stopped", origin.netloc)
        context = self._tls.of(origin) if origin.scheme == "https" else None
        try:
            connection = connect(origin, proxy, context, AGENT, deadline)
        except ProxyRefused as error:
            wanted = ": it wants a user name and a password" if error.status == 407 else ""
            raise failure(
                "no_route", origin.netloc, seen="the proxy answers HTTP %d%s" % (error.status, wanted)
            ) from error
        with self._lock:
            self._open.add(connection)
        return connection

    @staticmethod
    def _proxy(origin: Origin) -> Proxy | None:
        """The proxy of this machine's environment, by Go's rules, as containerd's and curl's users have them."""
        try:
            proxy = proxy_for(os.environ, origin.scheme, origin.netloc)
        except ProxyError as error:
            raise failure("no_route", origin.netloc, seen=str(error)) from error
        if proxy is not None and proxy.secure:
            raise failure(
                "no_route", origin.netloc,
                seen="%s_PROXY names an https:// proxy, and the mirror speaks no TLS to one: name its http:// port, or "
                "add the host to NO_PROXY" % origin.scheme.upper(),
            )  # fmt: skip
        return proxy

    def _kept(self) -> dict[Origin, Connection]:
        kept: dict[Origin, Connection] | None = getattr(self._local, "kept", None)
        if kept is None:
            kept = self._local.kept = {}
        return kept

    def stop(self) -> None:
        """Break every connection off, and make no other."""
        with self._lock:
            self._stopped = True
            found = list(self._open)
        for connection in found:
            connection.stop()


def _once(release: Callable[[bool], None]) -> Callable[[bool], None]:
    """Only the first call counts: a body that has been read is released by its reader."""
    pending = [release]

    def released(reusable: bool) -> None:
        if pending:
            pending.pop()(reusable)

    return released


def size_limit(count: int) -> str:
    """``4 MiB``, ``64 KiB``."""
    return "%d MiB" % (count >> 20) if count >= 1 << 20 else "%d KiB" % (count >> 10)
