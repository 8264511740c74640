# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers what one registry asks for, Basic or Bearer, and gives its credentials to nobody that they do not belong to.

Sources: distribution's ``docs/spec/auth/token.md`` and ``oauth.md``.
"""

from __future__ import annotations

import re
import urllib.parse
from typing import Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.access import Access
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import (
    RegistryFailure,
    failure,
    of_status,
    retry_after,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.manifest import read_json
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.session import AGENT, Reply, Session
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.challenge import (
    Challenge,
    parse_challenges,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import (
    AddressError,
    Origin,
    bare_origin_of,
    leaves_tls,
)

TOKEN_LIMIT = 64 << 10
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class Authorization:
    """The ``Authorization`` of one registry. What it returns is for that registry's own origin only.

    What a 401 asks for is answered for that request. It is kept for others only once it has led to a token, so that one
    bad answer is the affair of one image.
    """

    def __init__(self, access: Access, session: Session, timeout: float) -> None:
        self._access = access
        self._session = session
        self._timeout = timeout
        self._basic = False
        self._bearer: Challenge | None = None
        self._tokens: dict[tuple[str, ...], str] = {}

    def headers(self, scopes: tuple[str, ...]) -> dict[str, str]:
        """What goes along with a request to the registry itself, as far as it has asked for anything yet."""
        if self._bearer is not None and scopes not in self._tokens:
            try:
                self._tokens[scopes] = self._token(self._bearer, scopes)
            except RegistryFailure as problem:
                if problem.whole or problem.worth_another_try:
                    raise
                # What the registry says to a request without a token is to count.
                return {}
        if scopes in self._tokens:
            return {"Authorization": "Bearer " + self._tokens[scopes]}
        return {"Authorization": self._access.basic} if self._basic else {}

    def learn(self, refused: Reply, scopes: tuple[str, ...]) -> bool:
        """Take in what a 401 asks for; whether another try with it makes sense.

        :raises RegistryFailure: if it asks for a token that cannot be had.
        """
        for challenge in parse_challenges(refused.headers.get_all("WWW-Authenticate") or []):
            if challenge.scheme == "basic" and self._access.has_credentials:
                self._tokens.pop(scopes, None)
                self._basic = True
                return refused.sent != self._access.basic
            if challenge.scheme == "bearer":
                self._tokens.pop(scopes, None)
                self._tokens[scopes] = self._token(challenge, scopes)
                self._bearer = challenge
                return True
        return False

    def _token(self, challenge: Challenge, scopes: tuple[str, ...]) -> str:
        host = self._access.host
        realm = challenge.parameters.get("realm", "")
        try:
            server = bare_origin_of(realm)
        except AddressError as error:
            raise self._unavailable("its token server cannot be asked: %s" % error) from error
        if self._access.has_credentials and leaves_tls(self._access.origin, server):
            raise self._unavailable(
                "it wants its credentials sent without TLS, to its token server %s, and they are not: its realm has to "
                "begin with https://" % server.text
            )
        deadline = Deadline(self._timeout)
        method, url, headers, body = self._request(realm, challenge.parameters.get("service", ""), scopes)
        try:
            reply = self._session.ask(method, url, headers, deadline, (lambda: [body]) if body else None, len(body))
            content = reply.body(TOKEN_LIMIT)
        except RegistryFailure as problem:
            if problem.cause == "stopped":
                raise
            raise self._unavailable("token server: %s" % problem, problem.cause) from problem
        return self._token_of(reply, content, server, host)

    def _request(self, realm: str, service: str, scopes: tuple[str, ...]) -> tuple[str, str, dict[str, str], bytes]:
        """Method, URL, headers and body of a token request."""
        parts = urllib.parse.urlsplit(realm)
        query = [("service", service)] + [("scope", scope) for scope in scopes]
        kept = urllib.parse.parse_qsl(parts.query)
        headers: dict[str, str] = {}
        if self._access.identity_token:
            fields = [("service", service), ("scope", " ".join(scopes)), ("grant_type", "refresh_token"),
                      ("refresh_token", self._access.identity_token), ("client_id", AGENT)]  # fmt: skip
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            url = urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(kept), fragment=""))
            return "POST", url, headers, urllib.parse.urlencode(fields).encode("ascii")
        if self._access.has_credentials:
            headers["Authorization"] = self._access.basic
        url = urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(kept + query), fragment=""))
        return "GET", url, headers, b""

    def _token_of(self, reply: Reply, content: bytes, server: Origin, host: str) -> str:
        if reply.status in (400, 401, 403):
            raise failure("token_refused", host)
        if 300 <= reply.status < 400:
            # A redirect would take the credentials along, or leave them out and be refused.
            raise self._unavailable("its token server %s redirects, which is not followed" % server.text)
        if reply.status != 200:
            raise of_status(reply.status, server.netloc, "", retry_after(reply.header("Retry-After")))
        try:
            fields: Mapping[str, object] = read_json(content)
            token = fields.get("token") or fields.get("access_token")
        except (ValueError, AttributeError):
            token = None
        if not isinstance(token, str) or not _PRINTABLE.fullmatch(token):
            seen = "its token server %s sent no token that can be used" % server.text
            raise failure("token_server_unavailable", host, seen=seen)
        return token

    def _unavailable(self, why: str, cause: str = "") -> RegistryFailure:
        """For this image alone: what is asked for may differ for the next."""
        kept = cause if cause.startswith(("tls_", "ca_", "client_cert_")) else "token_server_unavailable"
        return RegistryFailure(kept, "%s: %s" % (self._access.host, why))
