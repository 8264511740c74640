# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to a registry over kept connections: one per thread, with the credentials that it asks for."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import ssl
import threading
import time
import urllib.parse
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.access import Access, PrivateFolder
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import (
    RegistryFailure,
    failure,
    of_exception,
    of_status,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.proxy import ProxyError, proxy_for

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT = ", ".join(INDEX_TYPES + MANIFEST_TYPES)
_AGENT = "k3sfleet.registries"
_CHALLENGE = re.compile(r'([a-zA-Z]+)="([^"]*)"')
LONGEST_WAIT = 300.0
"""Seconds: a Retry-After beyond it is not waited for."""


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Manifest(NamedTuple):
    """A manifest or an index: its digest, its media type, its bytes (empty after a HEAD)."""

    digest: str
    media_type: str
    body: bytes

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES

    @property
    def content(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class RegistryClient:
    """One registry. Every thread that asks has a connection of its own, which is kept.

    :param retries: how often a 429, a 5xx or a broken connection is tried again.
    :param timeout: seconds of silence after which a request has failed.
    """

    def __init__(
        self,
        access: Access,
        folder: PrivateFolder,
        retries: int = 3,
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.access = access
        self._retries = retries
        self._timeout = timeout
        self._sleep = sleep
        self._local = threading.local()
        self._lock = threading.Lock()
        self._challenge: dict[str, str] | None = None
        self._tokens: dict[str, str] = {}
        self._context = _tls_context(access, folder) if access.scheme == "https" else None

    def head(self, repository: str, reference: str) -> Manifest | None:
        """The manifest's digest and type without its content; None where the registry does not have it.

        :raises RegistryFailure: on any other answer.
        """
        answer = self._ask("HEAD", repository, "manifests/" + reference)
        if answer.status == 404:
            return None
        digest = answer.headers.get("docker-content-digest", "")
        if not digest:
            return self.get(repository, reference)
        return Manifest(digest, _media_type(answer), b"")

    def get(self, repository: str, reference: str) -> Manifest | None:
        """The manifest with its content, its digest computed from it; None where the registry does not have it.

        :raises RegistryFailure: on any other answer, and where the content is not that of the digest asked for.
        """
        answer = self._ask("GET", repository, "manifests/" + reference)
        if answer.status == 404:
            return None
        digest = digest_of(answer.body)
        if reference.startswith("sha256:") and digest != reference:
            raise failure("digest_mismatch", self.access.host, "asked for %s, got %s" % (reference, digest))
        return Manifest(digest, _media_type(answer), answer.body)

    def put(self, repository: str, reference: str, manifest: Manifest) -> None:
        """Put a manifest whose parts are there already.

        :raises RegistryFailure: where the registry does not accept it.
        """
        self._ask("PUT", repository, "manifests/" + reference, manifest.body, manifest.media_type)

    def upload_refusal(self, repository: str) -> RegistryFailure | None:
        """Why it takes no upload, in its own words, which skopeo does not repeat; None where it takes one."""
        try:
            answer = self._once("POST", repository, "blobs/uploads/", b"", "")
            place = urllib.parse.urlsplit(answer.headers.get("location", ""))
            upload = place.path.partition("/v2/%s/" % repository)[2]
            if upload:
                self._once("DELETE", repository, upload + ("?" + place.query if place.query else ""), b"", "")
        except RegistryFailure as problem:
            return problem
        return None

    def wait_asked_for(self, repository: str, reference: str) -> float | None:
        """Seconds that the registry wants to be left alone, as it says now; None where it does not say."""
        try:
            self._once("HEAD", repository, "manifests/" + reference, b"", "")
        except RegistryFailure as problem:
            return problem.retry_after
        return None

    def _ask(self, method: str, repository: str, rest: str, body: bytes = b"", kind: str = "") -> Answer:
        wait = 1.0
        for attempt in range(self._retries + 1):
            try:
                return self._once(method, repository, rest, body, kind)
            except RegistryFailure as problem:
                last = attempt == self._retries
                pause = wait if problem.retry_after is None else problem.retry_after
                if last or not problem.worth_another_try or pause > LONGEST_WAIT:
                    raise
                self._sleep(pause)
                wait *= 2
        raise AssertionError("unreachable")

    def _once(self, method: str, repository: str, rest: str, body: bytes, kind: str) -> Answer:
        path = "/v2/%s/%s" % (repository, rest)
        scope = "repository:%s:%s" % (repository, "pull" if method in ("GET", "HEAD") else "pull,push")
        headers = {"Accept": _ACCEPT, "User-Agent": _AGENT}
        if kind:
            headers["Content-Type"] = kind
        with self._first_alone():
            answer = self._send(method, path, body, dict(headers, **self._authorization(scope)))
            if answer.status == 401 and self._learn(answer, scope):
                answer = self._send(method, path, body, dict(headers, **self._authorization(scope)))
            if self._challenge is None:
                self._challenge = {}
        if answer.status < 300 or (answer.status == 404 and method in ("GET", "HEAD")):
            return answer
        problem = of_status(answer.status, self.access.host, _said(answer), _retry_after(answer))
        if answer.status == 401 and (self._challenge or {}).get("scheme") == "bearer":
            # The token was good: this repository is not for this user, or does not exist (Docker Hub says so).
            raise RegistryFailure("forbidden", str(problem).replace("credentials", "credentials for " + repository))
        raise problem

    def _first_alone(self) -> Any:
        """Until it is known which authentication the registry wants, one request at a time."""
        return self._lock if self._challenge is None else _NOTHING

    def _authorization(self, scope: str) -> dict[str, str]:
        challenge = self._challenge or {}
        if challenge.get("scheme") == "basic" and self.access.has_credentials:
            return {"Authorization": self.access.basic}
        if challenge.get("scheme") == "bearer":
            if scope not in self._tokens:
                self._tokens[scope] = self._token(challenge, scope)
            return {"Authorization": "Bearer " + self._tokens[scope]}
        return {}

    def _learn(self, answer: Answer, scope: str) -> bool:
        """Take in what a 401 asks for; whether another try with it makes sense."""
        text = answer.headers.get("www-authenticate", "")
        scheme = text.partition(" ")[0].lower()
        if scheme == "basic":
            if self._challenge is not None and self._challenge.get("scheme") == "basic":
                return False
            self._challenge = {"scheme": "basic"}
            return self.access.has_credentials
        if scheme == "bearer":
            self._tokens.pop(scope, None)
            self._challenge = dict(_CHALLENGE.findall(text), scheme="bearer")
            return True
        return False

    def _token(self, challenge: Mapping[str, str], scope: str) -> str:
        realm = urllib.parse.urlsplit(challenge.get("realm", ""))
        query = [("service", challenge.get("service", "")), ("scope", scope)]
        headers = {"User-Agent": _AGENT}
        method, body, kept = "GET", b"", urllib.parse.parse_qsl(realm.query)
        if self.access.identity_token:
            method = "POST"
            fields = [*query, ("grant_type", "refresh_token"), ("refresh_token", self.access.identity_token)]
            body = urllib.parse.urlencode([*fields, ("client_id", _AGENT)]).encode("ascii")
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        else:
            kept = kept + query
            if self.access.has_credentials:
                headers["Authorization"] = self.access.basic
        connection = self._connect(realm.scheme, realm.netloc)
        try:
            connection.request(method, "%s?%s" % (realm.path or "/", urllib.parse.urlencode(kept)), body, headers)
            answer = _answer(connection)
        except (OSError, http.client.HTTPException) as error:
            problem = of_exception(error, realm.netloc)
            raise RegistryFailure("token_server_unavailable", "token server: %s" % problem, whole=True) from error
        finally:
            connection.close()
        if answer.status in (400, 401, 403):
            raise failure("token_refused", self.access.host)
        if answer.status >= 300:
            raise of_status(answer.status, realm.netloc, "", _retry_after(answer))
        try:
            content = json.loads(answer.body)
            return str(content.get("token") or content["access_token"])
        except (ValueError, KeyError, AttributeError) as error:
            raise failure("not_a_registry", realm.netloc, "its token server sent no token") from error

    def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        kept = getattr(self._local, "connection", None)
        connection = kept or self._connect(self.access.scheme, self.access.host)
        try:
            return self._talk(connection, method, path, body, headers)
        except (http.client.HTTPException, ConnectionError) as error:
            if kept is None or isinstance(error, ConnectionRefusedError):
                raise self._problem(error) from error
        except OSError as error:
            raise self._problem(error) from error
        # The registry has closed a connection that was kept too long: that is no failure.
        try:
            return self._talk(self._connect(self.access.scheme, self.access.host), method, path, body, headers)
        except (http.client.HTTPException, OSError) as error:
            raise self._problem(error) from error

    def _problem(self, error: BaseException) -> RegistryFailure:
        """Servers built with older Go call a certificate that was not shown a bad one."""
        problem = of_exception(error, self.access.host)
        if problem.cause == "client_cert_rejected" and not (self.access.cert or self.access.cert_file):
            return failure("client_cert_required", self.access.host)
        return problem

    def _talk(self, connection: Any, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            connection.request(method, path, body or None, dict(headers))
            answer = _answer(connection)
        except BaseException:
            connection.close()
            self._local.connection = None
            raise
        self._local.connection = connection
        return answer

    def _connect(self, scheme: str, host: str) -> http.client.HTTPConnection:
        """Straight or through the proxy of this machine's environment, by Go's rules, since skopeo follows those."""
        try:
            proxy = proxy_for(os.environ, scheme, host)
        except ProxyError as error:
            raise failure("no_route", host, str(error)) from error
        if scheme == "http" and proxy is None:
            return http.client.HTTPConnection(host, timeout=self._timeout)
        context = self._context or ssl.create_default_context()
        if proxy is None:
            return http.client.HTTPSConnection(host, timeout=self._timeout, context=context)
        headers = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
        if scheme == "http":
            connection = http.client.HTTPConnection(proxy.host, proxy.port, timeout=self._timeout)
        else:
            connection = http.client.HTTPSConnection(proxy.host, proxy.port, timeout=self._timeout, context=context)
        connection.set_tunnel(host, headers=headers)
        return connection


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *unused: object) -> None:
        return None


_NOTHING = _Nothing()


def _answer(connection: http.client.HTTPConnection) -> Answer:
    response = connection.getresponse()
    return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, response.read())


def _media_type(answer: Answer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip()


def _said(answer: Answer) -> str:
    """The registry's own words, as it puts them in the answer's body."""
    try:
        errors = json.loads(answer.body)["errors"]
        return "; ".join("%s %s" % (item.get("message", ""), item.get("detail") or "") for item in errors)[:300].strip()
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _retry_after(answer: Answer) -> float | None:
    text = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time()) if text else None
    except (TypeError, ValueError):
        return None


def _tls_context(access: Access, folder: PrivateFolder) -> ssl.SSLContext:
    """:raises RegistryFailure: when a certificate is none."""
    certificates = folder.certificates(access)
    context = ssl.create_default_context()
    ca, cert, key = (os.path.join(certificates, name) for name in ("ca.crt", "client.cert", "client.key"))
    try:
        if os.path.exists(ca):
            context.load_verify_locations(ca)
        if os.path.exists(cert):
            context.load_cert_chain(cert, key if os.path.exists(key) else None)
    except (ssl.SSLError, OSError) as error:
        raise RegistryFailure(
            "ca_invalid", "%s: its CA or client certificate cannot be used: %s" % (access.host, error), whole=True
        ) from error
    if access.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
