# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers what one registry asks for, Basic or Bearer, and gives its credentials to nobody that they do not belong to.

Sources: distribution's ``docs/spec/auth/token.md`` and ``oauth.md``.
"""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.challenge import (
    TOKEN_LIMIT,
    Challenge,
    parse_challenges,
    token_form,
    token_in,
    token_url,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import (
    AddressError,
    Origin,
    bare_origin_of,
    leaves_tls,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.retry_after import retry_after

from .access import Access
from .failures import RegistryFailure, of_status
from .session import AGENT, Question, Reply, Session


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
                self._tokens[scopes] = self._fetch_token(self._bearer, scopes)
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
                self._tokens[scopes] = self._fetch_token(challenge, scopes)
                self._bearer = challenge
                return True
        return False

    def _fetch_token(self, challenge: Challenge, scopes: tuple[str, ...]) -> str:
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
        try:
            reply = self._ask(realm, challenge.parameters.get("service", ""), scopes, Deadline(self._timeout))
            content = reply.body(TOKEN_LIMIT)
        except RegistryFailure as problem:
            if problem.cause == "stopped":
                raise
            raise self._unavailable("token server: %s" % problem, problem.cause) from problem
        return self._token_of(reply, content, server, host)

    def _ask(self, realm: str, service: str, scopes: tuple[str, ...], deadline: Deadline) -> Reply:
        access = self._access
        if access.identity_token:
            form = token_form("", access.identity_token, service, scopes, AGENT)
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            return self._session.ask(
                Question("POST", token_url(realm, "", ()), deadline, headers, lambda: [form], len(form))
            )
        headers = {"Authorization": access.basic} if access.has_credentials else {}
        return self._session.ask(Question("GET", token_url(realm, service, scopes), deadline, headers))

    def _token_of(self, reply: Reply, content: bytes, server: Origin, host: str) -> str:
        if reply.status in (400, 401, 403):
            raise RegistryFailure("token_refused", host)
        if 300 <= reply.status < 400:
            # A redirect would take the credentials along, or leave them out and be refused.
            raise self._unavailable("its token server %s redirects, which is not followed" % server.text)
        if reply.status != 200:
            raise of_status(reply.status, server.netloc, "", retry_after(reply.header("Retry-After")))
        try:
            token = token_in(content)
        except ValueError:
            token = ""
        if not token:
            seen = "its token server %s sent no token that can be used" % server.text
            raise RegistryFailure("token_server_unavailable", host, seen=seen)
        return token

    def _unavailable(self, why: str, cause: str = "") -> RegistryFailure:
        """For this image alone: what is asked for may differ for the next."""
        kept = cause if cause.startswith(("tls_", "ca_", "client_cert_")) else "token_server_unavailable"
        return RegistryFailure(kept, self._access.host, advice=why, whole=False)
