# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to a registry: manifests and blobs, read and written, each verified by its digest.

Nothing that a registry answers is believed beyond that: what was asked for by a digest has that digest or is refused,
credentials go to the registry's own origin, and an answer is read no further and waited for no longer than it may be.
Source: OCI distribution-spec.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import threading
import time
import urllib.parse
from typing import Any, Callable, Iterable, Iterator, TypeVar

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure, TooLarge
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import read_json
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.media_types import (
    INDEX_TYPES,
    MANIFEST_TYPES,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.messages import (
    REDIRECTS,
    location_of,
    media_type_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import (
    AddressError,
    Origin,
    bare_origin_of,
    joined,
    leaves_tls,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.retry_after import retry_after

from .access import Access
from .authorization import Authorization
from .failures import ADVICE, RegistryFailure, of_failure, of_status
from .manifest import MANIFEST_LIMIT, Descriptor, Manifest, digest_of, document_of, is_checkable
from .session import Body, Question, Reply, Session
from .tls import TlsSettings

_ACCEPT = ", ".join(INDEX_TYPES + MANIFEST_TYPES)
_MOST_REDIRECTS = 5
LONGEST_WAIT = 300.0
"""Seconds: a Retry-After beyond it is not waited for."""
_PATH = "/:@!$&'()*+,;=~-._"
_PATIENCE = 300.0
"""Seconds that a registry may take to store a blob that it has received."""

_Asked = TypeVar("_Asked", bound=Callable[..., Any])


def _with_side(asked: _Asked) -> _Asked:
    """What fails here has failed at this registry, on its side of the copy."""

    @functools.wraps(asked)
    def told(self: RegistryClient, *given: Any, **more: Any) -> Any:
        with self.sided():
            return asked(self, *given, **more)

    return told  # type: ignore[return-value]


class RegistryClient:
    """One registry, on one side of the copies.

    :param side: ``src`` or ``dest``.
    :param retries: how often a 429, a 5xx or a broken connection is tried again.
    :param timeout: seconds after which a question has failed, from connecting to the last byte of its answer.
    :raises RegistryFailure: if its address is none.
    """

    def __init__(
        self, access: Access, side: str = "src", retries: int = 3, timeout: float = 30.0,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:  # fmt: skip
        self.access = access
        self.side = side
        self._retries = retries
        self._timeout = timeout
        self._sleep = sleep
        self._lock = threading.Lock()
        self._met = False
        self._accepted = False
        try:
            self._origin = access.origin
        except AddressError as error:
            raise RegistryFailure("dns_failure", access.host, seen=str(error), side=side) from error
        self._session = Session(TlsSettings(access), self._explained)
        self._authorization = Authorization(access, self._session, timeout)

    def stop(self) -> None:
        """Break off whatever runs, and begin nothing."""
        self._session.stop()

    @contextlib.contextmanager
    def sided(self) -> Iterator[None]:
        try:
            yield
        except RegistryFailure as problem:
            problem.side = problem.side or self.side
            raise

    @_with_side
    def head(self, repository: str, reference: str) -> Manifest | None:
        """The manifest's digest and type without its content; None if the registry does not have it.

        A digest that was asked for is the digest of the result; another is what the registry says, to be compared and
        verified by :meth:`get` before anything is made of it.

        :raises RegistryFailure: on any other answer.
        """
        reply = self._ask("HEAD", repository, "manifests/" + reference)
        reply.start()
        if reply.status == 404:
            return None
        said = reply.header("Docker-Content-Digest")
        if ":" in reference and said and said != reference:
            raise self._other(reference, said if is_checkable(said) else "another digest")
        if _number(reply.header("Content-Length")) > MANIFEST_LIMIT:
            seen = "it is larger than %d MiB" % (MANIFEST_LIMIT >> 20)
            raise RegistryFailure("manifest_unsupported", self.access.host, seen=seen)
        digest = reference if ":" in reference else said
        if not is_checkable(digest):
            return self.get(repository, reference)
        return Manifest(digest, media_type_of(reply.headers), b"")

    @_with_side
    def get(self, repository: str, reference: str, media_type: str = "") -> Manifest | None:
        """The manifest with its content, its digest computed from it; None if the registry does not have it.

        :param media_type: as a descriptor says it, for registries whose answers do not.
        :raises RegistryFailure: on any other answer, and if the content is not that of the digest asked for.
        """
        if ":" in reference and not is_checkable(reference):
            raise RegistryFailure(
                "digest_mismatch", self.access.host, seen="%s: only SHA-256 can be checked" % reference
            )
        reply = self._ask("GET", repository, "manifests/" + reference)
        if reply.status == 404:
            reply.start()
            return None
        body = reply.body(MANIFEST_LIMIT)
        digest = digest_of(body)
        if ":" in reference and digest != reference:
            raise self._other(reference, digest)
        where = "%s/%s" % (self.access.host, repository)
        announced = media_type_of(reply.headers)
        if announced not in INDEX_TYPES + MANIFEST_TYPES:
            announced = media_type or announced
        return Manifest(digest, document_of(body, announced, where)[0], body)

    @_with_side
    def put(self, repository: str, reference: str, manifest: Manifest) -> None:
        """Put a manifest whose parts are there already.

        :raises RegistryFailure: if the registry does not accept it.
        """
        kind, length = {"Content-Type": manifest.media_type}, len(manifest.body)
        rest = "manifests/" + reference
        self._ask("PUT", repository, rest, headers=kind, body=lambda: [manifest.body], length=length).start()

    @_with_side
    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether a blob is there.

        :raises RegistryFailure: if it does not say.
        """
        reply = self._ask("HEAD", repository, "blobs/" + digest)
        reply.start()
        return reply.status != 404

    def blob(self, repository: str, part: Descriptor, deadline: Deadline) -> Iterator[bytes]:
        """A blob's content. Its last piece comes only if all of it together has the size and the digest.

        :raises RegistryFailure: if it is not there, or another.
        """
        with self.sided():
            reply = self._ask("GET", repository, "blobs/" + part.digest, deadline=deadline)
            if reply.status == 404:
                reply.start()
                raise RegistryFailure("blob_missing", self.access.host, seen="%s of %s" % (part.digest, repository))
            count, found, held = 0, hashlib.sha256(), b""
            with contextlib.closing(reply.pieces()) as pieces:
                for piece in pieces:
                    count += len(piece)
                    if count > part.size:
                        raise self._damaged(part, "more than the %d bytes" % part.size)
                    found.update(piece)
                    if held:
                        yield held
                    held = piece
            if count != part.size or "sha256:" + found.hexdigest() != part.digest:
                raise self._damaged(part, "%d bytes of other content instead of the %d" % (count, part.size))
            if held:
                yield held

    @_with_side
    def put_blob(self, repository: str, part: Descriptor, make: Body, deadline: Deadline, other: str = "") -> None:
        """Put a blob, or have the registry take it from another of its repositories that has it.

        :param make: its content, made anew each time it is sent.
        :param other: the repository that has it, "" if none is known to.
        :raises RegistryFailure: if the registry does not take it.
        """
        query = "?" + urllib.parse.urlencode({"mount": part.digest, "from": other}) if other else ""
        scopes = (_scope(repository, "POST"), _scope(other, "GET")) if other else ()
        try:
            begun = self._ask("POST", repository, "blobs/uploads/" + query, scopes=scopes)
        except RegistryFailure as problem:
            if not other or problem.cause not in ("unauthorized", "forbidden", "token_refused", "unknown"):
                raise
            # Not from there, then.
            return self.put_blob(repository, part, make, deadline)
        begun.start()
        if begun.status == 201 and other:
            return None
        if not location_of(begun.headers):
            raise RegistryFailure("not_a_registry", self.access.host, seen="it names no place for an upload")
        place = self._joined(begun, location_of(begun.headers), "the place of an upload")
        place += ("&" if urllib.parse.urlsplit(place).query else "?") + urllib.parse.urlencode({"digest": part.digest})
        headers = {"Content-Type": "application/octet-stream"}
        upload = Question("PUT", place, deadline, headers, make, part.size, _PATIENCE)
        reply = self._exchange(upload, (_scope(repository, "PUT"),))
        if reply.status >= 300:
            raise self._refusal(reply, repository)
        reply.start()
        return None

    def upload_refusal(self, repository: str) -> RegistryFailure | None:
        """Why it takes no upload, which a connection that it broke off did not say; None if it takes one."""
        with self.sided():
            try:
                url = self._url(repository, "blobs/uploads/")
                begun = self._once(Question("POST", url, Deadline(self._timeout)), repository)
                begun.start()
                if location_of(begun.headers):
                    place = self._joined(begun, location_of(begun.headers), "the place of an upload")
                    scopes = (_scope(repository, "DELETE"),)
                    self._exchange(Question("DELETE", place, Deadline(self._timeout)), scopes).start()
            except RegistryFailure as problem:
                problem.side = self.side
                return problem
        return None

    def _ask(
        self, method: str, repository: str, rest: str, scopes: tuple[str, ...] = (), deadline: Deadline | None = None,
        **more: Any,
    ) -> Reply:  # fmt: skip
        """Ask until there is an answer that stands, or it makes no more sense. Each try has a deadline of its own.

        :param deadline: of all tries and the answer's body, which is then read later; no step of it is silent
            for longer than the timeout.
        """
        wait = 1.0
        for attempt in range(self._retries + 1):
            try:
                end = deadline or Deadline(self._timeout)
                question = Question(method, self._url(repository, rest), end, silence=self._timeout, **more)
                return self._once(question, repository, scopes)
            except RegistryFailure as problem:
                last = attempt == self._retries
                pause = wait if problem.retry_after is None else problem.retry_after
                if last or not problem.worth_another_try or pause > LONGEST_WAIT:
                    raise
                self._sleep(pause)
                wait *= 2
        raise AssertionError("unreachable")

    def _url(self, repository: str, rest: str) -> str:
        return "%s/v2/%s" % (self._origin.text, urllib.parse.quote(repository + "/", safe=_PATH) + rest)

    def _once(self, question: Question, repository: str, scopes: tuple[str, ...] = ()) -> Reply:
        method = question.method
        question = question._replace(headers={"Accept": _ACCEPT, **question.headers})
        reply = self._exchange(question, scopes or (_scope(repository, method),))
        if reply.status < 300 or (reply.status == 404 and method in ("GET", "HEAD")):
            self._accepted = self._accepted or bool(reply.sent)
            return reply
        raise self._refusal(reply, repository)

    def _exchange(self, question: Question, scopes: tuple[str, ...]) -> Reply:
        """The answer to a request, with the authorization that the registry asks for."""
        # Until it is known which authentication the registry wants, one request at a time.
        alone: contextlib.AbstractContextManager[Any] = contextlib.nullcontext() if self._met else self._lock
        with alone:
            try:
                reply = self._follow(question, scopes)
                if reply.status == 401 and reply.origin == self._origin:
                    reply.start()
                    if self._authorization.learn(reply, scopes):
                        return self._follow(question, scopes)
                return reply
            finally:
                self._met = True

    def _follow(self, question: Question, scopes: tuple[str, ...]) -> Reply:
        """Ask, and go where a registry says that something it has is to be read. Only it itself gets credentials."""
        for _number in range(_MOST_REDIRECTS + 1):
            own = bare_origin_of(question.url) == self._origin
            key = self._authorization.headers(scopes) if own else {}
            reply = self._session.ask(question._replace(headers={**question.headers, **key}))
            location = location_of(reply.headers)
            if reply.status not in REDIRECTS or question.method not in ("GET", "HEAD") or not location:
                return reply
            if question.method == "HEAD" and "/blobs/" in question.url:
                # It has the blob; the other place may be for nothing but a download.
                return _There(reply)
            reply.start()
            question = question._replace(url=self._joined(reply, location, "what it has elsewhere"))
        raise RegistryFailure("not_a_registry", self.access.host, seen="more than %d redirects" % _MOST_REDIRECTS)

    def _joined(self, reply: Reply, location: str, what: str) -> str:
        """Where a registry sends on to.

        :raises RegistryFailure: if that is no web address, or everybody on the way could read and change what passes.
        """
        try:
            url = joined(reply.url, location)
            target = bare_origin_of(url)
        except AddressError as error:
            raise RegistryFailure(
                "not_a_registry", self.access.host, seen="%s has no address: %s" % (what, error)
            ) from error
        if leaves_tls(reply.origin, target):
            raise RegistryFailure(
                "not_a_registry", self.access.host,
                seen="it is asked over TLS and names %s, without TLS, for %s: correct the external address in its "
                "settings" % (target.text, what),
            )  # fmt: skip
        return url

    def _refusal(self, reply: Reply, repository: str) -> RegistryFailure:
        said = _said(reply.start())
        own = reply.origin == self._origin
        host = self.access.host if own else reply.origin.netloc
        problem = of_status(reply.status, host, said, retry_after(reply.header("Retry-After")))
        if own and reply.status == 401 and reply.sent.startswith("Bearer "):
            # The token was good: this repository is not for this user, or does not exist (Docker Hub says so).
            advice = ADVICE["unauthorized"].replace("credentials", "credentials for " + repository)
            return RegistryFailure("forbidden", host, said=problem.said, advice=advice)
        # If others are answered with the same credentials, or it is another host, only this image is concerned.
        problem.whole = problem.whole and own and not (reply.status == 401 and self._accepted)
        return problem

    def _explained(self, error: Failure, origin: Origin) -> RegistryFailure:
        own = origin == self._origin
        host = self.access.host if own else origin.netloc
        if isinstance(error, TooLarge):
            return RegistryFailure("not_a_registry", host, seen=str(error))
        problem = of_failure(error, host)
        if not own:
            # What fails at a place the registry has sent us to says nothing about the registry as a whole.
            problem.whole = False
        return problem

    def _other(self, wanted: str, got: str) -> RegistryFailure:
        return RegistryFailure("digest_mismatch", self.access.host, seen="asked for %s, got %s" % (wanted, got))

    def _damaged(self, part: Descriptor, what: str) -> RegistryFailure:
        return RegistryFailure("digest_mismatch", self.access.host, seen="%s of %s" % (what, part.digest))


class _There(Reply):
    """The answer to a HEAD that names another place: what was asked for is there."""

    def __init__(self, reply: Reply) -> None:
        self.__dict__.update(reply.__dict__)
        self.status = 200


def _scope(repository: str, method: str) -> str:
    return "repository:%s:%s" % (repository, "pull" if method in ("GET", "HEAD") else "pull,push")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _said(body: bytes) -> str:
    """The registry's own words, as it puts them in the answer's body."""
    try:
        errors: Iterable[Any] = read_json(body)["errors"]
        said = "; ".join("%s %s" % (item.get("message", ""), item.get("detail") or "") for item in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return said[:300].strip()
