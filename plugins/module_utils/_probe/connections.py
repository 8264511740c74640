# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to origins: straight or through a proxy, with the TLS settings that belong there, kept for later.

A connection is kept for one origin and one way of shaking hands, together with the proxy that it goes through: what is
sent through it depends on nothing that another connection has done.
"""

from __future__ import annotations

import time
from typing import Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http import dial, wire
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import (
    EXPIRED,
    NAME_CONSTRAINTS,
    NOT_YET_VALID,
    Failure,
    Unverified,
    status_text,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.messages import Connection, tunnel
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import Origin, bracketed
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.proxy import (
    Proxy,
    ProxyError,
    proxy_for,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.wire import Stream

from .certificate import Certificate, CertificateError, decode, name_problem, utc_text
from .failure import status_failure
from .trust import Contexts, Shake

USER_AGENT = "containerd/2.1"
"""Some registries and firewalls look at it, so it has to begin as containerd's own."""
PHASES = ("dns", "tcp", "tls", "http", "total")


class Connections:
    """Makes and keeps connections.

    :ivar times: milliseconds of the phases of the first connection.
    :ivar certificate: what the first server with TLS showed, None without TLS; protocol: the version of TLS.
    :ivar proxy: the proxy that was used last, None without. For the result only.
    """

    def __init__(self, contexts: Contexts, environment: Mapping[str, str], deadline: Deadline) -> None:
        self._contexts = contexts
        self._environment = environment
        self._deadline = deadline
        self._kept: dict[tuple[Origin, int], Connection] = {}
        self.times: dict[str, float | None] = dict.fromkeys(PHASES)
        self.certificate: Certificate | None = None
        self.protocol = ""
        self.proxy: Proxy | None = None

    def take(self, origin: Origin, shake: Shake) -> Connection | None:
        """Take a connection that was kept, if there is one."""
        return self._kept.pop((origin, id(shake.context)), None)

    def keep(self, origin: Origin, shake: Shake, connection: Connection) -> None:
        self._kept[origin, id(shake.context)] = connection

    def close(self) -> None:
        for connection in self._kept.values():
            connection.stream.close()
        self._kept.clear()

    def connect(self, origin: Origin, shake: Shake) -> Connection:
        """Make a new connection.

        :raises Failure: if there is none, or the certificate is not for it.
        """
        try:
            proxy = proxy_for(self._environment, origin.scheme, _written(origin))
        except ProxyError as error:
            raise Failure("unknown", f"the proxy of the service: {error}") from None
        self.proxy = proxy
        if origin.scheme != "https":
            return Connection(self._reach(origin, proxy), proxy)
        stream = self._reach(origin, proxy)
        secured = wire.Tls(stream, shake.context, origin.host, shake.shows_certificate)
        started = time.monotonic()

        def check(der: bytes) -> None:
            self._note_tls(secured, started)
            if shake.verifies:
                _check_name(der, origin.host)

        try:
            secured.shake(check)
        except Unverified as error:
            secured.close()
            raise self._unverified(origin, proxy, error.code) from None
        except Failure as failure:
            secured.close()
            # A wrong certificate is no reason to try without TLS.
            failure.at_handshake = not failure.cause.startswith("tls_")
            raise
        return Connection(secured, proxy)

    def _reach(self, origin: Origin, proxy: Proxy | None) -> Stream:
        """A stream to a host, or to its proxy; through the proxy if TLS needs a tunnel."""
        if proxy is None:
            return self._dial(origin.host, origin.port, f"{origin.host}:{origin.port}")
        stream: Stream | None = None
        try:
            stream = self._dial(proxy.host, proxy.port, f"the proxy {proxy.text}")
            if proxy.secure:
                stream = self._secured_proxy(stream, proxy)
            if origin.scheme == "https":
                _check_tunnel(tunnel(stream, origin, proxy, USER_AGENT), stream.doing)
            return stream
        except Failure as failure:
            if stream is not None:
                stream.close()
            failure.at_proxy = True
            raise

    def _secured_proxy(self, stream: Stream, proxy: Proxy) -> wire.Tls:
        """A proxy is verified by its own name and shown no certificate, whatever the registry's settings allow."""
        shake = self._contexts.elsewhere
        secured = wire.Tls(stream, shake.context, proxy.host, shake.shows_certificate)
        try:
            secured.shake(lambda der: _check_name(der, proxy.host))
        except Unverified:
            secured.close()
            text = f"the certificate of the proxy {proxy.text} does not verify"
            raise Failure("tls_unknown_authority", text) from None
        except Failure as failure:
            secured.close()
            if failure.cause.startswith("tls_"):
                failure.detail = f"the certificate of the proxy {proxy.text}: {failure.detail}"
            raise
        return secured

    def _dial(self, name: str, port: int, label: str) -> wire.Plain:
        started = time.monotonic()
        addresses = dial.resolve(name, port, self._deadline)
        found = time.monotonic()
        self._note("dns", found - started)
        connection = dial.connect(addresses, label, self._deadline)
        self._note("tcp", time.monotonic() - found)
        return connection

    def _unverified(self, origin: Origin, proxy: Proxy | None, code: int) -> Failure:
        """Why a certificate is not accepted, in the order in which Go looks: time, name, chain.

        OpenSSL looks at the chain first, and tells nothing of a certificate that it refuses, so it is looked at again,
        without showing one of ours.
        """
        name = origin.host
        certificate = None
        looked = None
        try:
            shake = self._contexts.look
            looked = wire.Tls(self._reach(origin, proxy), shake.context, name, shake.shows_certificate)
            started = time.monotonic()
            looked.shake()
            self._note_tls(looked, started)
            certificate = _decoded(looked.certificate)
        except Failure:
            pass
        finally:
            if looked is not None:
                looked.close()
        now = time.time()
        if certificate is not None:
            if certificate.not_after < now:
                return Failure("tls_expired", f"{certificate.subject} expired {utc_text(certificate.not_after)}")
            if certificate.not_before > now:
                since = utc_text(certificate.not_before)
                return Failure("tls_not_yet_valid", f"{certificate.subject} is valid from {since} on")
            problem = name_problem(certificate, name)
            if problem:
                return Failure(problem, _names_text(certificate, name))
        shown_as = certificate.subject if certificate is not None else f"the certificate of {name}"
        if code == EXPIRED:
            return Failure("tls_expired", f"a CA of {shown_as} has expired")
        if code == NOT_YET_VALID:
            return Failure("tls_not_yet_valid", f"a CA of {shown_as} is not valid yet")
        if code in NAME_CONSTRAINTS:
            return Failure("tls_name_mismatch", f"a CA of {shown_as} may not sign for {name}")
        issuer = f", issued by {certificate.issuer}" if certificate is not None else ""
        return Failure("tls_unknown_authority", shown_as + issuer)

    def _note(self, phase: str, seconds: float) -> None:
        if self.times[phase] is None:
            self.times[phase] = round(seconds * 1000, 1)

    def _note_tls(self, secured: wire.Tls, started: float) -> None:
        self._note("tls", time.monotonic() - started)
        if self.certificate is None:
            self.certificate = _decoded(secured.certificate)
            self.protocol = secured.protocol


def _written(origin: Origin) -> str:
    return f"{bracketed(origin.host)}:{origin.port}"


def _check_tunnel(status: int, doing: str) -> None:
    """:raises Failure: if a proxy does not connect to a host."""
    if status != 200:
        if status < 500 and status not in (403, 407, 429):
            raise Failure("server_error", f"{doing}: {status_text(status)}", status)
        raise status_failure(status, "", doing)


def _check_name(der: bytes, name: str) -> None:
    """Fails closed: a certificate that cannot be read is for nobody.

    :raises Failure: if a certificate is not for a name.
    """
    certificate = _decoded(der)
    if certificate is None:
        raise Failure("tls_name_mismatch", f"the certificate of {name} cannot be read, so its names cannot be checked")
    problem = name_problem(certificate, name)
    if problem:
        raise Failure(problem, _names_text(certificate, name))


def _decoded(der: bytes) -> Certificate | None:
    try:
        return decode(der)
    except CertificateError:
        return None


def _names_text(certificate: Certificate, name: str) -> str:
    names = ", ".join((certificate.dns + certificate.addresses)[:8]) or "no name but the common name"
    return f"{certificate.subject} is for {names}, not for {name}"
