# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers a registry's 401 as containerd does: Basic, or a token fetched from the server that the registry names.

Source: ``AddResponses`` and ``doBearerAuth`` in containerd's ``core/remotes/docker/authorizer.go``.
"""

from __future__ import annotations

from typing import Callable

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.challenge import (
    TOKEN_LIMIT,
    Challenge,
    basic_header,
    parse_challenges,
    scopes,
    token_form,
    token_in,
    token_url,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure, status_text
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.messages import host_of, shown
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import (
    AddressError,
    Origin,
    origin_of,
)

from .answer import Answer
from .failure import Exposure
from .node_hosts import Credentials, CredentialsError
from .session import NO_KEY, Key, Session

_WITHOUT_POST = (400, 401, 404)
"""Token servers that know no POST answer with one of these, and are asked by GET then."""
_SHORTEST_MASKED = 16
_UNASKED = "the credentials in hosts.toml"


class Authorization:
    """Credentials for one endpoint and for those that it refers to, used when they ask; each (scheme, host, port) has
    its own.

    :ivar scheme: what was asked for last: ``none``, ``basic`` or ``bearer``.
    :ivar credentials: those that were used last, None if there were none to use.
    """

    def __init__(
        self,
        session: Session,
        lookup: Callable[[str], Credentials | None],
        repository: str = "",
        header: str = "",
    ) -> None:
        """
        :param header: the value of ``Authorization`` that hosts.toml has containerd send to the endpoint unasked. After
            a 401, credentials from ``lookup`` take its place.
        """
        self._session = session
        self._lookup = lookup
        self._repository = repository
        self._keys: dict[Origin, Key] = {}
        self._unasked = Key(header, _UNASKED) if header else NO_KEY
        self.scheme = header.partition(" ")[0].lower() if header else "none"
        self.credentials: Credentials | None = None

    def key(self, origin: Origin) -> Key:
        """To send along: nothing before its server has asked, unless hosts.toml has a header for it."""
        unasked = self._unasked if self._session.is_own(origin) else NO_KEY
        return self._keys.get(origin, unasked)

    def has_answered(self, origin: Origin) -> bool:
        """Whether what goes along is the answer to that server's challenge, so that there is nothing left to try."""
        return origin in self._keys

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, should the other side repeat it. A token of a few letters would mask half a text."""
        found: list[str] = []
        for key in (*self._keys.values(), self._unasked):
            found += [key.header, key.header.partition(" ")[2]]
        return tuple(secret for secret in found if len(secret) >= _SHORTEST_MASKED)

    def answer(self, refused: Answer) -> None:
        """Prepares what a 401 asks for.

        :raises Failure: if that is not available.
        :raises Exposure: if containerd would give the credentials away for it.
        """
        status, origin = refused.status, refused.origin
        for challenge in parse_challenges(refused.headers.get_all("WWW-Authenticate") or []):
            if challenge.scheme == "digest":
                continue
            self.scheme = challenge.scheme
            try:
                self.credentials = self._lookup(refused.host)
            except CredentialsError as error:
                raise Failure("unauthorized", str(error), status) from None
            if self.credentials is not None and self._session.verify_from_now_on(origin):
                # Whoever has asked may be anybody: it is to ask again as somebody who is known.
                return
            if challenge.scheme == "basic":
                header = _basic(self.credentials, status)
                self._refuse_clear(origin, refused)
                self._keys[origin] = Key(header, f"the password of {refused.host}")
            else:
                token = self._fetch_token(challenge, self.credentials, refused)
                # One that everybody gets is no secret.
                name = f"the token for {refused.host}" if self.credentials is not None else ""
                self._keys[origin] = Key("Bearer " + token, name)
            return
        raise Failure("unauthorized", "it asks for neither Basic nor Bearer credentials", status)

    def refusal(self, refused: Answer) -> Failure:
        """What a 401 means that came although its challenge was answered."""
        challenges = parse_challenges(refused.headers.get_all("WWW-Authenticate") or [])
        if any(challenge.parameters.get("error") == "insufficient_scope" for challenge in challenges):
            return Failure("forbidden", "the token does not allow it (insufficient_scope)", refused.status)
        used = "the token" if self.scheme == "bearer" else "the credentials"
        return Failure("unauthorized", f"{used} sent: {status_text(refused.status)}", refused.status)

    def _refuse_clear(self, origin: Origin, refused: Answer) -> None:
        """Only an endpoint that is configured with http:// gets credentials in clear."""
        if origin.scheme != "https" and not self._session.takes_clear(origin):
            where = f"{shown(refused.url)}: {status_text(refused.status)}"
            raise Exposure(self._name(refused), origin, where, refused.status)

    def _name(self, refused: Answer) -> str:
        word = "password" if self.credentials is not None and self.credentials.username else "identity token"
        return f"the {word} of {refused.host}"

    def _fetch_token(self, challenge: Challenge, credentials: Credentials | None, refused: Answer) -> str:
        realm = challenge.parameters.get("realm", "")
        try:
            place = origin_of(realm)
        except AddressError:
            raise Failure("token_server_unavailable", "the registry names no token server (realm)", 401, True) from None
        has_secret = credentials is not None and bool(credentials.secret)
        if has_secret:
            self._refuse_clear(refused.origin, refused)
            if place.scheme != "https" and not self._session.takes_clear(refused.origin):
                reason = "the token server that the registry names (realm) without TLS"
                raise Exposure(self._name(refused), place, f"realm {shown(realm)}", refused.status, reason)
        elif self._unasked.header and self._session.is_own(refused.origin) and not self._session.is_own(place):
            # Without credentials for the host, the token request gets the headers that the registry got.
            reason = "the token server that the registry names (realm)"
            raise Exposure(_UNASKED, place, f"realm {shown(realm)}", refused.status, reason)
        service = challenge.parameters.get("service", "")
        wanted = scopes(self._repository, challenge)
        try:
            answer = self._fetch(realm, place, service, wanted, self._name(refused))
        except Exposure:
            raise
        except Failure as failure:
            if has_secret and failure.cause.startswith("tls_") and not failure.at_proxy:
                self._refuse_unverified(place, refused, failure)
            raise _token_failure(failure, realm) from None
        return _token_of(answer, realm)

    def _refuse_unverified(self, place: Origin, refused: Answer, failure: Failure) -> None:
        if self._session.skips_verification and not self._session.is_own(place):
            reason = f"whose certificate it will not verify: insecure_skip_verify of {refused.host} counts there too"
            raise Exposure(self._name(refused), place, failure.detail, refused.status, reason) from None

    def _fetch(self, realm: str, place: Origin, service: str, wanted: list[str], name: str) -> Answer:
        session, credentials = self._session, self.credentials
        if credentials is None or not credentials.secret:
            return session.request("GET", token_url(realm, service, wanted), limit=TOKEN_LIMIT, strict=True)
        form = token_form(credentials.username, credentials.secret, service, wanted)
        kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        answer = session.request("POST", realm, kind, form, limit=TOKEN_LIMIT, form_of=name, strict=True)
        if answer.status not in _WITHOUT_POST and not (answer.status == 405 and credentials.username):
            return answer
        key = Key(basic_header(credentials.username, credentials.secret), name)

        def keys(origin: Origin) -> Key:
            return key if origin == place else NO_KEY

        return session.request("GET", token_url(realm, service, wanted), limit=TOKEN_LIMIT, keys=keys, strict=True)


def _basic(credentials: Credentials | None, status: int) -> str:
    if credentials is None:
        raise Failure("unauthorized", "it asks for credentials (Basic), and none are configured for it", status)
    if not credentials.username or not credentials.secret:
        raise Failure("unauthorized", "it asks for a user and a password, and one of them is not configured", status)
    return basic_header(credentials.username, credentials.secret)


def _token_failure(failure: Failure, realm: str) -> Failure:
    """A certificate that is not accepted stays one; everything else is the token server's."""
    cause = failure.cause
    if not cause.startswith(("tls_", "client_cert_")):
        cause = "token_server_unavailable"
    found = Failure(cause, f"token server {host_of(realm)}: {failure.detail}", failure.status, token=True)
    found.at_proxy = failure.at_proxy
    return found


def _token_of(answer: Answer, realm: str) -> str:
    where, status = f"token server {host_of(realm)}", answer.status
    if not 200 <= status < 400:
        cause = "token_server_unavailable"
        if status == 429:
            cause = "rate_limited"
        elif 400 <= status < 500 and status not in (404, 408):
            cause = "token_refused"
        raise Failure(cause, f"{where}: {status_text(status)}", status, token=True)
    if not answer.complete:
        raise Failure("token_server_unavailable", f"{where}: its answer is larger than 64 KiB", status, token=True)
    try:
        token = token_in(answer.body)
    except ValueError as error:
        raise Failure("token_server_unavailable", f"{where}: {error}", status, token=True) from None
    if not token:
        raise Failure("token_server_unavailable", f"{where}: its answer holds no token", status, token=True)
    return token
