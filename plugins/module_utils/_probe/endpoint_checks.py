# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of one endpoint: its API, or the manifest of an image, with credentials where it wants some."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.messages import shown
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import Host
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import Image
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import object_url

from .answer import Answer
from .authorization import Authorization
from .content import ACCEPT, Place, check_content, check_promise
from .failure import Exposure, status_failure
from .said import LIMIT, WORTH_ASKING, add_words
from .session import Session

# nginx answers a missing or wrong client certificate, and plain HTTP, with a page and 400: Go's servers the last one.
_BAD_REQUESTS = (
    (b"No required SSL certificate was sent", "client_cert_required", "it wants a client certificate"),
    (b"The SSL certificate error", "client_cert_rejected", "it refuses the client certificate"),
    (b"plain HTTP request was sent to HTTPS port", "not_http", "plain HTTP on a TLS port"),
    (b"HTTP request to an HTTPS server", "not_http", "plain HTTP on a TLS port"),
)
_MOST_CHALLENGES = 5
_ANONYMOUS = "it answers without credentials only for repositories that are public"


class Seen(NamedTuple):
    """What a check that went well saw: the HTTP status, a sentence, and the digest that a manifest's endpoint names."""

    status: int
    detail: str
    digest: str = ""


class Asker:
    """Requests of one check: credentials are sent once the registry has asked for them, as containerd does."""

    def __init__(self, session: Session, authorization: Authorization) -> None:
        self._session = session
        self._authorization = authorization

    def __call__(self, method: str, url: str, accept: str = "", limit: int = 1 << 20, follow: bool = True) -> Answer:
        """:raises Failure: if no answer came, or credentials do not help."""
        for _number in range(_MOST_CHALLENGES):
            answer = self._ask(method, url, accept, limit, follow)
            if answer.status == 400:
                self._explain(url)
            if answer.status != 401:
                return answer
            if self._authorization.has_answered(answer.origin):
                raise self.worded(self._authorization.refusal(answer), method, url)
            # The endpoint's own challenge, or that of another host to which it redirects.
            self._authorization.answer(answer)
        raise self._authorization.refusal(answer)

    def left(self, doing: str) -> float:
        """The seconds that are left for all of the check."""
        return self._session.left(doing)

    def worded(self, failure: Failure, method: str, url: str) -> Failure:
        """A refusal, with what the registry says of it in words that are known. A HEAD comes without any."""
        if method == "HEAD" and failure.status in WORTH_ASKING and not isinstance(failure, Exposure):
            with contextlib.suppress(Failure):
                add_words(failure, self._ask("GET", url, "", LIMIT, False).body)
        return failure

    def _explain(self, url: str) -> None:
        """Asks again for the words of a 400, which a HEAD comes without.

        :raises Failure: if they name a cause.
        """
        try:
            body = self._ask("GET", url, "", 1 << 14, False).body
        except Failure:
            return
        for words, cause, detail in _BAD_REQUESTS:
            if words in body:
                raise Failure(cause, f"GET {shown(url)}: 400 Bad Request, {detail}", 400)

    def _ask(self, method: str, url: str, accept: str, limit: int, follow: bool) -> Answer:
        headers = {"Accept": accept} if accept else {}
        return self._session.request(method, url, headers, limit=limit, follow=follow, keys=self._authorization.key)


def api_url(host: Host) -> str:
    """The URL of an endpoint's API itself: what answers there is a registry.

    A path below ``/v2`` is a project's, which has no front page of its own, so the registry's is asked.
    """
    path = "/v2/" if host.path == "/v2" or host.path.startswith("/v2/") else host.path.rstrip("/") + "/"
    return f"{host.scheme}://{host.host}{path}"


def check_api(ask: Asker, authorization: Authorization, url: str) -> Seen:
    """Is there a registry, and does it take the credentials?

    :raises Failure: if not.
    """
    try:
        answer = ask("GET", url)
    except Exposure:
        raise
    except Failure as failure:
        if failure.status == 401 and not failure.token and failure.cause == "unauthorized":
            if authorization.scheme == "bearer" and authorization.credentials is None:
                return Seen(401, _ANONYMOUS)
        raise
    status, where = answer.status, f"GET {shown(answer.url)}"
    if status == 404:
        raise Failure("not_a_registry", f"{where}: 404 Not Found", status)
    if status != 200:
        raise status_failure(status, answer.url, where)
    if answer.media_type in ("text/html", "application/xhtml+xml"):
        raise Failure("not_a_registry", f"{where}: a web page", status)
    how = {"none": "without credentials", "basic": "with Basic credentials"}
    token = "a token" if authorization.credentials is not None else "an anonymous token"
    return Seen(status, f"it answers {how.get(authorization.scheme, 'with ' + token)}")


def check_image(
    ask: Asker, image: Image, host: Host, repository: str, platform: tuple[str, str], content: bool
) -> Seen:
    """Could the image be pulled from this endpoint?

    :param repository: as it is after any rewrite.
    :param content: whether the manifest's content is looked at too, and the blobs that it names.
    :raises Failure: if not.
    """

    def url(kind: str, name: str) -> str:
        return object_url(image, host, repository, kind, name)[0]

    manifest = url("manifests", image.reference)
    head = ask("HEAD", manifest, accept=ACCEPT)
    if head.status != 200:
        raise ask.worded(status_failure(head.status, head.url, f"HEAD {shown(manifest)}"), "HEAD", manifest)
    check_promise(head, image.reference)
    digest = head.headers.get("Docker-Content-Digest") or ""
    if not content:
        return Seen(head.status, "the manifest is there", digest)
    return Seen(head.status, check_content(Place(ask, url, ask.left), head, image.reference, platform), digest)
