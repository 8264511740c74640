# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP as containerd speaks it to one endpoint: proxies, redirects, connections kept, everything under one deadline."""

from __future__ import annotations

import re
import ssl
import time
from typing import Mapping
from urllib.parse import urljoin, urlsplit

from ansible_collections.k3sfleet.registries.plugins.module_utils._probe import dial, wire
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.certificate import (
    Certificate,
    CertificateError,
    decode,
    name_problem,
    utc_text,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.failure import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.messages import (
    USER_AGENT,
    Answer,
    content_of,
    head,
    host_of,
    make_tunnel,
    response_of,
    shown,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.proxy import (
    Proxy,
    ProxyError,
    proxy_for,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.trust import Contexts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.no_proxy import host_and_port

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 10
# OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, _CERT_NOT_YET_VALID, _PERMITTED_VIOLATION and _EXCLUDED_VIOLATION.
_EXPIRED, _NOT_YET_VALID, _NAME_CONSTRAINTS = 10, 9, (47, 48)
PHASES = ("dns", "tcp", "tls", "http", "total")


class Session:
    """Requests to an endpoint, and to whatever it refers to, with the TLS settings of that endpoint.

    :ivar times: milliseconds of the phases of the first connection; ``http`` is the sum of all requests.
    :ivar certificate: what the endpoint's server showed, None without TLS.
    :ivar protocol: the version of TLS, "" without.
    :ivar proxy: the proxy that was used last, None without.
    """

    def __init__(
        self,
        contexts: Contexts,
        environment: Mapping[str, str],
        deadline: Deadline,
        https_first: str = "",
    ) -> None:
        self._contexts = contexts
        self._environment = environment
        self._deadline = deadline
        # The host of an http endpoint with TLS settings: containerd 1.7 and later try https there first.
        self._https_first = https_first
        self._kept: dict[tuple[str, str], wire.Plain | wire.Tls] = {}
        self._http = 0.0
        self.times: dict[str, float | None] = dict.fromkeys(PHASES)
        self.certificate: Certificate | None = None
        self.protocol = ""
        self.proxy: Proxy | None = None

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        limit: int = 1 << 20,
        follow: bool = True,
    ) -> Answer:
        """Asks, and follows redirects; what a redirect leads to on another host gets no ``Authorization``.

        :param limit: how much of an answer's body is read, in bytes.
        :raises Failure: where no answer came.
        """
        given = dict(headers or {})
        for _number in range(_MOST_REDIRECTS):
            answer = self._asked(method, url, given, body, limit)
            location = answer.headers.get("Location")
            if not follow or answer.status not in _REDIRECTS or not location:
                return answer
            target = urljoin(url, location)
            if urlsplit(target).scheme not in ("http", "https") or not host_of(target):
                raise Failure("not_a_registry", f"{method} {shown(url)}: redirects to no web address", answer.status)
            if host_of(target) != host_of(url):
                given.pop("Authorization", None)
            if method == "POST" and answer.status in (301, 302, 303):
                method, body = "GET", b""
            url = target
        raise Failure("not_a_registry", f"{method} {shown(url)}: more than {_MOST_REDIRECTS} redirects")

    def close(self) -> None:
        for connection in self._kept.values():
            connection.close()
        self._kept.clear()

    def _asked(self, method: str, url: str, headers: dict[str, str], body: bytes, limit: int) -> Answer:
        scheme = urlsplit(url).scheme
        if scheme != "http" or host_of(url) != self._https_first:
            return self._exchanged(method, url, headers, body, limit)
        try:
            return self._exchanged(method, "https" + url[len("http") :], headers, body, limit)
        except Failure as failure:
            without_port = not re.search(r":\d+\Z", self._https_first)
            again = failure.cause == "http_server_https_client" or "TLS handshake" in failure.detail
            if not again and not (without_port and failure.cause in ("connection_refused", "timeout", "no_route")):
                raise
            if self._deadline.is_over:
                raise
        self._https_first = ""
        return self._exchanged(method, url, headers, body, limit)

    def _exchanged(self, method: str, url: str, headers: dict[str, str], body: bytes, limit: int) -> Answer:
        key = (urlsplit(url).scheme, host_of(url))
        kept = self._kept.pop(key, None)
        if kept is not None:
            try:
                return self._spoken(kept, method, url, headers, body, limit)
            except Failure as failure:
                # The server may close a kept connection at any time: only on a fresh one does that say anything.
                if failure.cause != "connection_reset":
                    raise
        return self._spoken(self._connected(*key), method, url, headers, body, limit)

    def _spoken(
        self, connection: wire.Plain | wire.Tls, method: str, url: str, headers: dict[str, str], body: bytes, limit: int
    ) -> Answer:
        parts = urlsplit(url)
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        fields = {"Host": host_of(url), "User-Agent": USER_AGENT, **headers}
        if self.proxy is not None and parts.scheme == "http":
            target = f"http://{host_of(url)}{target}"
            if self.proxy.authorization:
                fields["Proxy-Authorization"] = self.proxy.authorization
        if body:
            fields["Content-Length"] = str(len(body))
        connection.doing = doing = f"{method} {shown(url)}"
        started = time.monotonic()
        try:
            connection.send(head(method, target, fields) + body)
            response = response_of(connection, method, doing)
            content, complete = content_of(response, limit, doing)
        except Failure:
            connection.close()
            raise
        finally:
            self._http += time.monotonic() - started
            self.times["http"] = round(self._http * 1000, 1)
        if complete and not response.will_close:
            self._kept[(parts.scheme, host_of(url))] = connection
        else:
            connection.close()
        return Answer(response.status, response.headers, content, url)

    def _connected(self, scheme: str, host: str) -> wire.Plain | wire.Tls:
        try:
            name, port = host_and_port(host, scheme)
            self.proxy = proxy_for(self._environment, scheme, host)
        except ProxyError as error:
            raise Failure("unknown", f"the proxy of the service: {error}") from None
        except ValueError as error:
            raise Failure("unknown", f"{host}: {error}") from None
        if scheme != "https":
            return self._reached(name, port, "")
        connection = self._reached(name, port, host)
        secured = wire.Tls(connection, self._contexts.checked, name, self._contexts.has_certificate)
        started = time.monotonic()
        try:
            secured.shake()
        except ssl.SSLCertVerificationError as error:
            secured.close()
            raise self._unverified(name, port, host, error.verify_code) from None
        except Failure:
            secured.close()
            raise
        self._note_tls(secured, started)
        if self._contexts.verifies:
            certificate = _decoded(secured.certificate)
            problem = name_problem(certificate, name) if certificate is not None else ""
            if problem:
                secured.close()
                raise Failure(problem, _names_text(certificate, name))
        return secured

    def _reached(self, name: str, port: int, tunnel: str) -> wire.Plain | wire.Tls:
        """A connection to a host, or to its proxy; through the proxy where there is a ``tunnel`` to make."""
        proxy = self.proxy
        if proxy is None:
            return self._dialled(name, port, f"{name}:{port}")
        try:
            connection: wire.Plain | wire.Tls = self._dialled(proxy.host, proxy.port, f"the proxy {proxy.text}")
            if proxy.secure:
                connection = wire.Tls(connection, self._contexts.checked, proxy.host, self._contexts.has_certificate)
                connection.shake()
            if tunnel:
                make_tunnel(connection, tunnel, proxy)
        except ssl.SSLCertVerificationError:
            failure = Failure("tls_unknown_authority", f"the certificate of the proxy {proxy.text} does not verify")
        except Failure as caught:
            failure = caught
        else:
            return connection
        failure.at_proxy = True
        raise failure

    def _dialled(self, name: str, port: int, label: str) -> wire.Plain:
        started = time.monotonic()
        addresses = dial.resolve(name, port, self._deadline)
        found = time.monotonic()
        self._note("dns", found - started)
        connection = dial.connect(addresses, label, self._deadline)
        self._note("tcp", time.monotonic() - found)
        return connection

    def _unverified(self, name: str, port: int, host: str, code: int) -> Failure:
        """Why a certificate is not accepted, in the order in which Go looks: time, name, chain.

        OpenSSL looks at the chain first, and tells nothing of a certificate that it refuses, so it is looked at again.
        """
        certificate = None
        try:
            looked = wire.Tls(
                self._reached(name, port, host), self._contexts.unchecked, name, self._contexts.has_certificate
            )
            started = time.monotonic()
            looked.shake()
            self._note_tls(looked, started)
            looked.close()
            certificate = _decoded(looked.certificate)
        except (Failure, ssl.SSLError):
            pass
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
        if code == _EXPIRED:
            return Failure("tls_expired", f"a CA of {shown_as} has expired")
        if code == _NOT_YET_VALID:
            return Failure("tls_not_yet_valid", f"a CA of {shown_as} is not valid yet")
        if code in _NAME_CONSTRAINTS:
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


def _decoded(der: bytes) -> Certificate | None:
    try:
        return decode(der)
    except CertificateError:
        return None


def _names_text(certificate: Certificate | None, name: str) -> str:
    if certificate is None:
        return f"not for {name}"
    names = ", ".join((certificate.dns + certificate.addresses)[:8]) or "no name but the common name"
    return f"{certificate.subject} is for {names}, not for {name}"
