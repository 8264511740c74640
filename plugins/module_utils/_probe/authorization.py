# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers a registry's 401 as containerd does: Basic, or a token fetched from the server that the registry names.

Source: ``AddResponses`` and ``doBearerAuth`` in containerd's ``core/remotes/docker/authorizer.go``.
"""

from __future__ import annotations

import base64
import json
from typing import Callable
from urllib.parse import urlsplit

from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.challenge import (
    Challenge,
    parse_challenges,
    scopes,
    token_form,
    token_url,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.failure import Failure, status_text
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.messages import Answer, host_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import (
    Credentials,
    CredentialsError,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.session import Session

_WITHOUT_POST = (400, 401, 404)
"""Token servers that know no POST answer with one of these, and are asked by GET then."""


class Authorization:
    """Credentials for one endpoint, used when it asks.

    :ivar scheme: what it asked for: ``none``, ``basic`` or ``bearer``.
    :ivar credentials: those that were used, None where there were none to use.
    """

    def __init__(self, session: Session, lookup: Callable[[str], Credentials | None], repository: str = "") -> None:
        self._session = session
        self._lookup = lookup
        self._repository = repository
        self._header = ""
        self.scheme = "none"
        self.credentials: Credentials | None = None

    @property
    def headers(self) -> dict[str, str]:
        """To send along: nothing before the registry has asked."""
        return {"Authorization": self._header} if self._header else {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, should the other side send it back."""
        return tuple(filter(None, (self._header.partition(" ")[2], self._header)))

    def answer(self, refused: Answer) -> None:
        """Prepares what a 401 asks for.

        :raises Failure: where that cannot be had.
        """
        status = refused.status
        for challenge in parse_challenges(refused.headers.get_all("WWW-Authenticate") or []):
            if challenge.scheme == "digest":
                continue
            self.scheme = challenge.scheme
            try:
                self.credentials = self._lookup(refused.host)
            except CredentialsError as error:
                raise Failure("unauthorized", str(error), status) from None
            if challenge.scheme == "basic":
                self._header = _basic(self.credentials, status)
            else:
                self._header = "Bearer " + self._token(challenge, self.credentials)
            return
        raise Failure("unauthorized", "it asks for neither Basic nor Bearer credentials", status)

    def refusal(self, refused: Answer) -> Failure:
        """What a 401 means that came although its challenge was answered."""
        challenges = parse_challenges(refused.headers.get_all("WWW-Authenticate") or [])
        if any(challenge.parameters.get("error") == "insufficient_scope" for challenge in challenges):
            return Failure("forbidden", "the token does not allow it (insufficient_scope)", refused.status)
        used = "the token" if self.scheme == "bearer" else "the credentials"
        return Failure("unauthorized", f"{used} sent: {status_text(refused.status)}", refused.status)

    def _token(self, challenge: Challenge, credentials: Credentials | None) -> str:
        realm = challenge.parameters.get("realm", "")
        if urlsplit(realm).scheme not in ("http", "https") or not host_of(realm):
            raise Failure("token_server_unavailable", "the registry names no token server (realm)", 401, token=True)
        service = challenge.parameters.get("service", "")
        wanted = scopes(self._repository, challenge)
        try:
            answer = self._fetched(realm, service, wanted, credentials)
        except Failure as failure:
            raise _token_failure(failure, realm) from None
        return _token_of(answer, realm)

    def _fetched(self, realm: str, service: str, wanted: list[str], credentials: Credentials | None) -> Answer:
        session = self._session
        if credentials is not None and credentials.secret:
            form = token_form(credentials.username, credentials.secret, service, wanted)
            kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
            answer = session.request("POST", realm, kind, form)
            if answer.status not in _WITHOUT_POST and not (answer.status == 405 and credentials.username):
                return answer
            headers = {"Authorization": _basic_value(credentials.username, credentials.secret)}
            return session.request("GET", token_url(realm, service, wanted), headers)
        return session.request("GET", token_url(realm, service, wanted))


def _basic(credentials: Credentials | None, status: int) -> str:
    if credentials is None:
        raise Failure("unauthorized", "it asks for credentials (Basic), and none are configured for it", status)
    if not credentials.username or not credentials.secret:
        raise Failure("unauthorized", "it asks for a user and a password, and one of them is not configured", status)
    return _basic_value(credentials.username, credentials.secret)


def _basic_value(username: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{secret}".encode("utf-8", "surrogateescape")).decode("ascii")


def _token_failure(failure: Failure, realm: str) -> Failure:
    """A certificate that is not accepted stays one; everything else is the token server's."""
    cause = failure.cause
    if not cause.startswith(("tls_", "client_cert_")):
        cause = "token_server_unavailable"
    return Failure(cause, f"token server {host_of(realm)}: {failure.detail}", failure.status, token=True)


def _token_of(answer: Answer, realm: str) -> str:
    where, status = f"token server {host_of(realm)}", answer.status
    if not 200 <= status < 400:
        cause = "token_server_unavailable"
        if status == 429:
            cause = "rate_limited"
        elif 400 <= status < 500 and status not in (404, 408):
            cause = "token_refused"
        raise Failure(cause, f"{where}: {status_text(status)}", status, token=True)
    try:
        fields = json.loads(answer.body.decode("utf-8"))
        token = fields.get("access_token") or fields.get("token")
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str) or not token:
        raise Failure("token_server_unavailable", f"{where}: its answer holds no token", status, token=True)
    return token
