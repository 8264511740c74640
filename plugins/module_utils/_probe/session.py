# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP as containerd speaks it to one endpoint, under one deadline, with one difference: a credential goes to the
(scheme, host, port) that it belongs to and nowhere else.

containerd keeps credentials by host and asks anew at every hop; Go's HTTP client under it takes them along to other
ports and schemes of the same name, and repeats a form wherever a 307 or 308 leads. Where that would happen the probe
says so, see :class:`failure.Exposure`, and goes on without it if it can.

Source: ``request.do`` and ``authorize`` in containerd's ``core/remotes/docker/resolver.go``, ``redirectBehavior`` and
``shouldCopyHeaderOnRedirect`` in Go's ``net/http/client.go``.
"""

from __future__ import annotations

import time
from typing import Callable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.messages import (
    REDIRECTS,
    Connection,
    ask,
    content_of,
    host_of,
    said_on,
    shown,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import (
    AddressError,
    Origin,
    default_port,
    is_within,
    joined,
    origin_of,
)

from .answer import Answer
from .connections import USER_AGENT, Connections
from .failure import Exposure
from .trust import Contexts, Shake

_MOST_REDIRECTS = 10
_MOST_FINDINGS = 10


class Key(NamedTuple):
    """A credential as it is sent: the value of ``Authorization``, and what it is in words, such as ``the password of
    registry.example.com``. Both "" if there is none; without a name it is no secret."""

    header: str
    name: str


NO_KEY = Key("", "")
Keys = Callable[[Origin], Key]


class Session:
    """Requests to an endpoint, and to whatever it refers to; its TLS settings are for itself.

    :ivar connections: with what the first of them has shown, and how long its phases took; ``http`` is the sum of all
        requests.
    :ivar findings: to whom containerd would have given credentials that were kept here.
    """

    def __init__(
        self,
        contexts: Contexts,
        environment: Mapping[str, str],
        deadline: Deadline,
        endpoint: str,
        https_first: bool = False,
    ) -> None:
        """
        :param endpoint: ``scheme://host[:port]``.
        :param https_first: an http endpoint with TLS settings: containerd 1.7 and later try https there first.
        :raises Failure: if the endpoint cannot be asked.
        """
        self._contexts = contexts
        self._deadline = deadline
        self.connections = Connections(contexts, environment, deadline)
        self._own = {_origin(endpoint)}
        self._https_first: Origin | None = None
        if https_first:
            (self._https_first,) = self._own
            self._own.add(_origin("https" + endpoint[len("http") :]))
        self._verified: set[Origin] = set()
        self.findings: list[str] = []
        self._takes_clear = endpoint.startswith("http://")
        self._http = 0.0

    def left(self, doing: str) -> float:
        """The seconds that are left.

        :raises Failure: if none are.
        """
        return self._deadline.left(doing)

    def is_own(self, origin: Origin) -> bool:
        """Whether it is the endpoint itself, not something that it refers to."""
        return origin in self._own

    def takes_clear(self, origin: Origin) -> bool:
        """Whether credentials may go without TLS: to an endpoint that is configured with http://, and what it names."""
        return self._takes_clear and origin in self._own

    def verify_from_now_on(self, origin: Origin) -> bool:
        """Before a credential is at stake: whether what it has said so far may have been said by anybody."""
        if origin in self._own or origin in self._verified or self._contexts.verifies or origin.scheme != "https":
            return False
        self._verified.add(origin)
        return True

    @property
    def skips_verification(self) -> bool:
        """Whether the endpoint is configured with ``insecure_skip_verify``."""
        return not self._contexts.verifies

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        limit: int = 1 << 20,
        follow: bool = True,
        keys: Keys = lambda _origin: NO_KEY,
        form_of: str = "",
        strict: bool = False,
    ) -> Answer:
        """Asks, and follows redirects; each hop gets the credentials that are its own.

        :param limit: how much of an answer's body is read, in bytes.
        :param form_of: the name of the credential in the body, "" if there is none.
        :param strict: whatever is asked elsewhere is verified, even if nothing secret goes there.
        :raises Failure: if no answer came.
        :raises Exposure: if a redirect would lead containerd to give a credential away.
        """
        _origin(url)
        first: Origin | None = None
        carried = NO_KEY
        for _number in range(_MOST_REDIRECTS):
            answer = self._ask(method, url, headers or {}, body, limit, keys, strict)
            if first is None:
                first = origin_of(answer.url)
                carried = keys(first)
            if not follow or answer.status not in REDIRECTS or not answer.location:
                return answer
            doing = f"{method} {shown(answer.url)}"
            try:
                target = joined(answer.url, answer.location)
            except AddressError:
                raise Failure("not_a_registry", f"{doing}: redirects to no web address", answer.status) from None
            here, there = origin_of(answer.url), origin_of(target)
            if method == "POST" and answer.status in (301, 302, 303):
                method, body, form_of = "GET", b"", ""
            if here != there:
                if form_of:
                    raise Exposure(form_of, there, f"{doing}: {answer.status}", answer.status)
                # Once they are gone, Go takes them along no more.
                carried = carried if is_within(there.host, first.host) else NO_KEY
                given = self._given_away(carried, keys, here, there)
                if given:
                    self._note(Exposure(given, there, f"{doing}: {answer.status}", answer.status), here)
            url = target
        raise Failure("not_a_registry", f"{method} {shown(url)}: more than {_MOST_REDIRECTS} redirects")

    def _note(self, exposure: Exposure, here: Origin) -> None:
        """In clear text it is the end. Otherwise the probe goes on without the credential, unlike containerd."""
        if here.scheme == "https" and exposure.place.scheme == "http":
            raise exposure
        if exposure.sentence not in self.findings and len(self.findings) < _MOST_FINDINGS:
            self.findings.append(exposure.sentence)

    @staticmethod
    def _given_away(carried: Key, keys: Keys, here: Origin, there: Origin) -> str:
        """The name of the credential that containerd would take along, "" if it would not."""
        if keys(there).header or _is_upgrade(here, there):
            return ""
        if carried.name:
            return carried.name
        if there.scheme == "https":
            return ""
        # containerd keeps them by the host and port of the URL, whatever its scheme.
        twins = [there._replace(scheme="https")]
        if there.port == default_port("http"):
            twins.append(Origin("https", there.host, default_port("https")))
        return next((keys(twin).name for twin in twins if keys(twin).name), "")

    def close(self) -> None:
        self.connections.close()

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, limit: int, keys: Keys, strict: bool
    ) -> Answer:
        if self._https_first is None or origin_of(url) != self._https_first:
            return self._exchange(method, url, headers, body, limit, keys, strict)
        try:
            return self._exchange(method, "https" + url[len("http") :], headers, body, limit, keys, strict)
        except Failure as failure:
            without_port = self._https_first.port == default_port("http")
            again = failure.cause == "http_server_https_client" or failure.at_handshake
            if not again and not (without_port and failure.cause in ("connection_refused", "timeout", "no_route")):
                raise
            if self._deadline.is_over:
                raise
        self._https_first = None
        return self._exchange(method, url, headers, body, limit, keys, strict)

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, limit: int, keys: Keys, strict: bool
    ) -> Answer:
        origin = origin_of(url)
        key = keys(origin).header
        shake = self._shake(origin, strict or bool(key))
        fields = {**headers, "Authorization": key} if key else dict(headers)
        return said_on(
            self.connections.take(origin, shake),
            lambda: self.connections.connect(origin, shake),
            lambda connection: self._speak(connection, shake, method, url, fields, body, limit),
        )

    def _shake(self, origin: Origin, strict: bool) -> Shake:
        if origin in self._own:
            return self._contexts.own
        return (
            self._contexts.elsewhere
            if strict or origin in self._verified
            else self._contexts.elsewhere_without_credentials
        )

    def _speak(
        self,
        connection: Connection,
        shake: Shake,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        limit: int,
    ) -> Answer:
        origin, (stream, proxy) = origin_of(url), connection
        host = host_of(url) if host_of(url).isascii() else origin.netloc
        fields = {"Host": host, "User-Agent": USER_AGENT, **headers}
        if body:
            fields["Content-Length"] = str(len(body))
        stream.doing = doing = f"{method} {shown(url)}"
        started = time.monotonic()
        try:
            response = ask(stream, method, url, fields, [body], proxy, limit)
            content, complete = content_of(response, doing, limit)
        except Failure:
            stream.close()
            raise
        finally:
            self._http += time.monotonic() - started
            self.connections.times["http"] = round(self._http * 1000, 1)
        if complete and not response.will_close:
            self.connections.keep(origin, shake, connection)
        else:
            stream.close()
        return Answer(response.status, response.headers, content, url, complete)


def _origin(url: str) -> Origin:
    try:
        return origin_of(url)
    except AddressError as error:
        raise Failure("unknown", f"{shown(url)}: {error}") from None


def _is_upgrade(here: Origin, there: Origin) -> bool:
    """From http to https of the same server: credentials are none the worse for it, and are asked for anew."""
    if (here.scheme, there.scheme, here.host) != ("http", "https", there.host):
        return False
    return here.port == there.port or (here.port == default_port("http") and there.port == default_port("https"))
