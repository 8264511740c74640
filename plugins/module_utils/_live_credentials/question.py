# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks each endpoint whose credentials change with the new ones, as containerd will send them: unasked.

Before anything is sent, each is asked without, for what it says then tells to whom containerd would give the header:
with a 401 that offers Bearer it hands it to the token server that the registry names, and Go's HTTP client takes it
along to other ports, schemes and subdomains of the endpoint's host name. Such an endpoint is a doubt, and gets no
credentials from here.

Source: ``invalidAuthorization`` and ``doBearerAuth`` in containerd's ``core/remotes/docker/authorizer.go``,
``shouldCopyHeaderOnRedirect`` in Go's ``net/http/client.go``.
"""

from __future__ import annotations

import platform as this_machine
import threading
import time
from typing import Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.answer import Answer
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.authorization import Authorization
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.content import ACCEPT
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.endpoint_checks import (
    Asker,
    api_url,
    check_image,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.failure import Exposure
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.platform import node_platform
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.session import NO_KEY, Key, Session
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import (
    Target,
    endpoint_targets,
    image_targets,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.trust import Trust
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.challenge import parse_challenges
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import (
    Origin,
    is_within,
    origin_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import Host
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import Image, ImageError, parse_image

from . import doubts
from .changes import Changes, TextHosts
from .doubts import Doubt

_TIMEOUT = 10.0
# What a thread may need beyond its deadline to notice that it has passed.
_GRACE = 0.5
# What is wrong with an image, or that this endpoint does not have it, says nothing about credentials. That the node can
# pull is for the canary to prove, afterwards.
_OF_THE_IMAGE = ("not_found", "blob_missing", "platform_missing", "manifest_unsupported", "digest_mismatch")


class _Doubtful(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Question(NamedTuple):
    """What is asked at one endpoint, with which value of ``Authorization``."""

    target: Target
    header: str


def questions(texts: Mapping[str, str], needed: Changes, images: Sequence[str]) -> list[Question]:
    """Every endpoint that gets a header, and the images that would be pulled from there; each once."""
    node = TextHosts(texts, {})
    found: dict[object, Question] = {}
    for target in [*endpoint_targets(node), *image_targets(node, _parsed(images))]:
        host = target.host
        if host is None or target.problem:
            continue
        header = needed.hosts.get(host.host)
        if header and host.scheme == "https":
            found.setdefault(target.key, Question(target, header))
    return list(found.values())


def ask(
    texts: Mapping[str, str],
    needed: Changes,
    images: Sequence[str],
    environment: Mapping[str, str],
    timeout: float = _TIMEOUT,
) -> list[Doubt]:
    """The doubts about these headers; none if every endpoint takes its own.

    :param texts: the hosts.toml texts, by directory, without headers.
    :param images: canary images: their manifests are asked for, and redirects of their content looked at.
    :param environment: of the node's containerd, for its proxies.
    """
    wanted = questions(texts, needed, images)
    if not wanted:
        return []
    trust = Trust(environment)
    answers: dict[int, Doubt | None] = {}

    def work(number: int) -> None:
        answers[number] = _doubt(wanted[number], trust, environment, timeout)

    # Left behind if something cannot be interrupted: a name that is looked up, a file on a dead mount.
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(wanted))]
    for thread in threads:
        thread.start()
    until = time.monotonic() + timeout + _GRACE
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    found: dict[Doubt, None] = {}
    for number, question in enumerate(wanted):
        doubt = answers[number] if number in answers else Doubt(doubts.NO_ANSWER, _host(question).host)
        if doubt is not None:
            found[doubt] = None
    return list(found)


def _host(question: Question) -> Host:
    host = question.target.host
    if host is None:
        raise AssertionError("questions are made of hosts")
    return host


def _parsed(images: Iterable[str]) -> list[Image]:
    found = []
    for image in images:
        try:
            found.append(parse_image(image))
        except ImageError:
            # The canary's own pull will say so.
            continue
    return found


def _doubt(question: Question, trust: Trust, environment: Mapping[str, str], timeout: float) -> Doubt | None:
    """The one about this endpoint, None if there is none. Never raises."""
    host = _host(question)
    try:
        session = Session(
            trust.contexts(host.tls), environment, Deadline(timeout), "%s://%s" % (host.scheme, host.host)
        )
        try:
            _ask(question, session)
        finally:
            session.close()
    except _Doubtful as doubtful:
        return Doubt(doubtful.name, host.host)
    except Failure as failure:
        return Doubt(doubts.REDIRECTS if isinstance(failure, Exposure) else doubts.NO_ANSWER, host.host)
    except Exception:  # pylint: disable=broad-except  # noqa: BLE001 - whatever it was, there is a doubt
        return Doubt(doubts.NO_ANSWER, host.host)
    return None


def _ask(question: Question, session: Session) -> None:
    """
    :raises _Doubtful: if the endpoint is none that a header would do for.
    :raises Failure: if there is no telling.
    """
    target, host = question.target, _host(question)
    own = origin_of("%s://%s" % (host.scheme, host.host))
    api = api_url(host)
    _check_offers(session.request("GET", api), own, asked=True)
    if target.image is not None:
        # A registry may ask for tokens where its repositories are, and for a password at its front door.
        _check_offers(session.request("HEAD", target.url, {"Accept": ACCEPT}), own, asked=False)
    authorization = _Header(session, own, question.header, host.host)
    asker = Asker(session, authorization)
    answer = asker("GET", api)
    _check_findings(session)
    if answer.status != 200:
        raise _Doubtful(doubts.FORBIDDEN if answer.status == 403 else doubts.NO_ANSWER)
    if target.image is None:
        return
    try:
        platform = node_platform(this_machine.machine())
        check_image(asker, target.image, host, target.repository, platform, content=True)
    except Exposure:
        raise
    except Failure as failure:
        if failure.status == 403:
            raise _Doubtful(doubts.FORBIDDEN) from None
        if failure.cause not in _OF_THE_IMAGE:
            raise
    finally:
        _check_findings(session)


def _check_offers(answer: Answer, own: Origin, asked: bool) -> None:
    """What an endpoint says to somebody without credentials.

    :param asked: whether it has to ask for some.
    """
    if answer.origin != own:
        raise _Doubtful(doubts.REDIRECTS if is_within(answer.origin.host, own.host) else doubts.NO_ANSWER)
    if answer.status == 401:
        offered = {challenge.scheme for challenge in parse_challenges(answer.headers.get_all("WWW-Authenticate") or [])}
        if "bearer" in offered:
            raise _Doubtful(doubts.BEARER)
        if "basic" not in offered:
            raise _Doubtful(doubts.NO_BASIC)
    elif asked:
        raise _Doubtful(doubts.NO_QUESTION if answer.status == 200 else doubts.NO_ANSWER)


def _check_findings(session: Session) -> None:
    if session.findings:
        raise _Doubtful(doubts.REDIRECTS)


class _Header(Authorization):
    """A header that is sent unasked, to one server, and nothing else to anybody."""

    def __init__(self, session: Session, own: Origin, header: str, host: str) -> None:
        super().__init__(session, lambda _host: None)
        self._own = own
        self._key = Key(header, "the password of " + host)

    def key(self, origin: Origin) -> Key:
        return self._key if origin == self._own else NO_KEY

    def has_answered(self, origin: Origin) -> bool:
        return origin == self._own

    def answer(self, refused: Answer) -> None:
        # Another server, to which the endpoint redirects, asks for credentials that are not its business.
        raise Failure("unauthorized", "another server asks for credentials", refused.status)

    def refusal(self, refused: Answer) -> Failure:
        _check_offers(refused, refused.origin, asked=False)
        raise _Doubtful(doubts.REFUSED)
