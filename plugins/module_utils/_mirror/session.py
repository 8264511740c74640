# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP requests with kept connections, one for each thread and server. Knows nothing of credentials or redirects."""

from __future__ import annotations

import http.client
import os
import threading
import weakref
from typing import Callable, Generator, Iterable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.dial import connect, resolve
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure, TooLarge
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.messages import (
    Connection,
    ask,
    content_of,
    pieces_of,
    said_on,
    tunnel,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import Origin, bare_origin_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.proxy import (
    Proxy,
    ProxyError,
    proxy_for,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.wire import Stream, Tls

from .failures import RegistryFailure
from .tls import TlsSettings

AGENT = "k3sfleet.registries"
_REST = 64 << 10
"""Bytes of a body nobody wants that are read so that its connection can be kept."""

Explain = Callable[[Failure, Origin], RegistryFailure]
Body = Callable[[], Iterable[bytes]]
"""Makes a request's body; called once for each time it is sent."""


class Question(NamedTuple):
    """One request.

    :ivar url: an absolute http or https URL.
    :ivar body: made anew each time it is sent; its ``length`` is announced.
    :ivar silence: seconds that nothing may happen for.
    """

    method: str
    url: str
    deadline: Deadline
    headers: Mapping[str, str] = {}
    body: Body | None = None
    length: int = 0
    silence: float | None = None


class Reply:
    """An answer whose headers have been read; its body is still on the connection.

    :ivar sent: the ``Authorization`` that it was asked with.
    """

    def __init__(
        self, response: http.client.HTTPResponse, url: str, origin: Origin, explain: Explain,
        release: Callable[[bool], None], sent: str = "",
    ) -> None:  # fmt: skip
        self.status = response.status
        self.headers = response.headers
        self.url = url
        self.origin = origin
        self.sent = sent
        self._response = response
        self._explain = explain
        self._release = release

    def header(self, name: str) -> str:
        """A header's value, "" if there is none."""
        return (self.headers.get(name) or "").strip()

    def pieces(self) -> Generator[bytes, None, None]:
        """The body, as it comes.

        :raises RegistryFailure: if it ends before its time.
        """
        complete = False
        try:
            yield from pieces_of(self._response, "read")
            complete = True
        except Failure as error:
            raise self._explain(error, self.origin) from error
        finally:
            self._release(complete and not self._response.will_close)

    def body(self, limit: int) -> bytes:
        """All of the body.

        :raises RegistryFailure: if it is larger than ``limit`` bytes, or ends before its time.
        """
        content, complete = self._begin(limit)
        if not complete:
            raise self._explain(TooLarge("its answer is larger than %s" % size_limit(limit)), self.origin)
        return content

    def start(self, limit: int = _REST) -> bytes:
        """The body's beginning, for messages; what is longer is left, and the connection with it."""
        try:
            return self._begin(limit)[0]
        except RegistryFailure:
            return b""

    def _begin(self, limit: int) -> tuple[bytes, bool]:
        complete = False
        try:
            content, complete = content_of(self._response, "read", limit)
            return content, complete
        except Failure as error:
            raise self._explain(error, self.origin) from error
        finally:
            self._release(complete and not self._response.will_close)

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
        self._open: weakref.WeakSet[Stream] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._stopped = False

    def ask(self, question: Question) -> Reply:
        """Ask once. A kept connection that the server has closed meanwhile is replaced by a new one.

        :raises AddressError: if the URL names no server.
        :raises RegistryFailure: if no answer comes.
        """
        method, url, deadline, headers, body, length, silence = question
        origin = bare_origin_of(url)
        fields = {"Host": origin.netloc, "User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
        if body is not None or method in ("POST", "PUT"):
            fields["Content-Length"] = str(length)

        def speak(connection: Connection) -> Reply:
            stream, proxy = connection
            stream.within(deadline, silence)
            stream.doing = method
            try:
                response = ask(stream, method, url, fields, body() if body is not None else (), proxy)
            except BaseException:
                stream.close()
                raise
            release = _once(lambda reusable: self._keep_or_close(origin, connection, reusable))
            return Reply(response, url, origin, self._explain, release, fields.get("Authorization", ""))

        try:
            return said_on(self._kept().pop(origin, None), lambda: self._connect(origin, deadline), speak)
        except Failure as error:
            raise self._explain(error, origin) from error

    def _keep_or_close(self, origin: Origin, connection: Connection, reusable: bool) -> None:
        if reusable and origin not in self._kept():
            self._kept()[origin] = connection
        else:
            connection.stream.close()

    def _connect(self, origin: Origin, deadline: Deadline) -> Connection:
        proxy = self._proxy(origin)
        with self._lock:
            if self._stopped:
                raise RegistryFailure("stopped", origin.netloc)
        context = self._tls.of(origin) if origin.scheme == "https" else None
        name, port = (origin.host, origin.port) if proxy is None else (proxy.host, proxy.port)
        stream: Stream = connect(resolve(name, port, deadline), "%s:%d" % (name, port), deadline)
        try:
            if context is not None:
                if proxy is not None:
                    self._tunnel(stream, origin, proxy)
                stream = secured = Tls(stream, context, origin.host, self._tls.shows_certificate(origin))
                secured.shake()
        except BaseException:
            stream.close()
            raise
        with self._lock:
            if not self._stopped:
                self._open.add(stream)
                return Connection(stream, proxy)
        # Told to end while it was being made: nobody would break it off.
        stream.close()
        raise RegistryFailure("stopped", origin.netloc)

    @staticmethod
    def _tunnel(stream: Stream, origin: Origin, proxy: Proxy) -> None:
        status = tunnel(stream, origin, proxy, AGENT)
        if status != 200:
            wanted = ": it wants a user name and a password" if status == 407 else ""
            raise RegistryFailure("no_route", origin.netloc, seen="the proxy answers HTTP %d%s" % (status, wanted))

    @staticmethod
    def _proxy(origin: Origin) -> Proxy | None:
        """The proxy of this machine's environment, by Go's rules, as containerd's and curl's users have them."""
        try:
            proxy = proxy_for(os.environ, origin.scheme, origin.netloc)
        except ProxyError as error:
            raise RegistryFailure("no_route", origin.netloc, seen=str(error)) from error
        if proxy is not None and proxy.secure:
            raise RegistryFailure(
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
        for stream in found:
            stream.stop()


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
