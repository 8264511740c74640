# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks registries whether they have images: few questions at a time to each of them, under one deadline for all.

Nothing is pulled: a manifest is asked for by HEAD, which Docker Hub does not count. A registry that answers 429 is left
alone for as long as it asks; if that is longer than there is time, it is asked nothing more. A host that cannot be
reached is not asked for every single image.
"""

from __future__ import annotations

import collections
import platform as this_machine
import threading
import time
from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.answer import Answer
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.authorization import Authorization
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.endpoint_checks import Asker
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.platform import node_platform
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.result import Probed
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.run import asked
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.session import Session
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.trust import Trust
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.retry_after import retry_after

from .question import Question, Side
from .vocabulary import AT_ONCE

SECONDS = 60.0
_EACH = 10.0
_MOST_THREADS = 64
# What a thread may need beyond its deadline to notice that it has passed.
_GRACE = 0.5
# How often a registry may answer 429 before it is left alone, and how often a host may be unreachable.
_MOST_BUSY, _MOST_UNREACHABLE = 5, 2
_NOT_ASKED = Probed("unknown", "an earlier endpoint decides")
_UNREACHABLE = (
    *("dns_failure", "connection_refused", "no_route", "timeout", "not_tls", "http_server_https_client"),
    *("tls_unknown_authority", "tls_expired", "tls_not_yet_valid", "tls_name_mismatch", "tls_no_san"),
    *("client_cert_required", "client_cert_rejected"),
)


class Asking:
    """Asks in one or several rounds. A registry that wants to be left alone, or cannot be reached, is so in the next
    round, too."""

    def __init__(self) -> None:
        self._known: dict[str, _Registry] = {}

    def __call__(
        self,
        questions: Iterable[Question],
        environment: Mapping[str, str],
        seconds: float = SECONDS,
        each: float = _EACH,
        machine: str = "",
    ) -> dict[Any, Probed]:
        """The answers by the questions' keys. Every question gets one.

        :param environment: of the node's containerd, for its proxies and CAs.
        :param seconds: until when all have to be answered.
        :param each: the seconds for one question.
        :param machine: the node's architecture as ``uname -m`` gives it; "" is this machine's.
        """
        whole = Deadline(seconds)
        common = _Common(environment, whole, each, node_platform(machine or this_machine.machine()))
        registries: dict[str, _Registry] = {}
        for question in {item.key: item for item in questions}.values():
            name = question.host.host.lower()
            if name not in registries:
                self._known[name] = registries[name] = _Registry(common, self._known.get(name))
            registries[name].waiting.append(question)
        at_once = max(1, min(AT_ONCE, _MOST_THREADS // max(1, len(registries))))
        # Left behind if something cannot be interrupted: a name that is looked up, a file on a dead mount.
        threads = [
            threading.Thread(target=registry.work, daemon=True)
            for registry in registries.values()
            for _number in range(min(at_once, len(registry.waiting)))
        ]
        wanted = [question.key for registry in registries.values() for question in registry.waiting]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds + _GRACE
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        late = Probed("timeout", "there was no time left to ask")
        answers = dict(common.answers)
        return {key: answers.get(key, late) for key in wanted}


def not_asked(questions: Iterable[Question], environment: Mapping[str, str]) -> dict[Any, Probed]:
    """What stands for the answers of those who are not asked: containerd reads the files of their settings all the
    same, and fails the pull if it cannot use one."""
    trusts: dict[int, Trust] = {}
    found: dict[Any, Probed] = {}
    for question in questions:
        files = question.side.files
        if id(files) not in trusts:
            trusts[id(files)] = Trust(environment, files)
        found[question.key] = _NOT_ASKED
        if any(question.host.tls.get(kind) for kind in ("ca_files", "client_pairs")):
            try:
                trusts[id(files)].contexts(question.host.tls)
            except Failure as failure:
                found[question.key] = Probed(failure.cause, failure.detail)
    return found


class _Turn(Deadline):
    """The time of one question after the other, each no longer than what is left of the whole."""

    def __init__(self, whole: Deadline, seconds: float) -> None:
        super().__init__(seconds)
        self._whole = whole

    def begin(self) -> None:
        self._begin = time.monotonic()
        self._end = self._begin + self.seconds

    @property
    def is_over(self) -> bool:
        return super().is_over or self._whole.is_over

    def left(self, doing: str, at_most: float | None = None) -> float:
        return min(super().left(doing, at_most), self._whole.left(doing, at_most))


class _Common:
    """What all threads share."""

    def __init__(self, environment: Mapping[str, str], whole: Deadline, each: float, platform: tuple[str, str]) -> None:
        self.environment = environment
        self.whole = whole
        self.each = each
        self.platform = platform
        self.answers: dict[Any, Probed] = {}
        self._trusts: dict[int, Trust] = {}
        self._lock = threading.Lock()

    def trust(self, side: Side) -> Trust:
        with self._lock:
            key = id(side.files)
            if key not in self._trusts:
                self._trusts[key] = Trust(self.environment, side.files)
            return self._trusts[key]


class _Registry:
    """The questions to one registry, and what its answers mean for those that wait.

    :param before: the same one in an earlier round.
    """

    def __init__(self, common: _Common, before: _Registry | None = None) -> None:
        self._common = common
        self.waiting: collections.deque[Question] = collections.deque()
        self._condition = threading.Condition()
        self._resume: float = before._resume if before is not None else 0.0
        self._busy: int = before._busy if before is not None else 0
        self._given_up: Probed | None = before._given_up if before is not None else None
        self._unreachable: dict[Any, list[Probed]] = before._unreachable if before is not None else {}

    def work(self) -> None:
        """Ask until nothing waits."""
        lines: dict[Any, _Line] = {}
        try:
            while True:
                question = self._next()
                if question is None:
                    return
                access = question.side.access(question.host)
                known = self._known(access)
                if known is not None:
                    self._common.answers[question.key] = known
                    continue
                if access not in lines:
                    lines[access] = _Line(self._common, question)
                said, line = lines[access].ask(question), lines[access]
                if said.cause == "rate_limited" and self._waits(question, said, line.retry_after):
                    continue
                self._common.answers[question.key] = said
                if said.cause in _UNREACHABLE and not line.answered:
                    self._unreachable.setdefault(access, []).append(said)
        finally:
            for line in lines.values():
                line.close()

    def _next(self) -> Question | None:
        with self._condition:
            while self.waiting and not self._common.whole.is_over:
                pause = self._resume - time.monotonic()
                if pause <= 0 or self._given_up is not None:
                    return self.waiting.popleft()
                self._condition.wait(pause)
            return None

    def _known(self, access: Any) -> Probed | None:
        if self._given_up is not None:
            return self._given_up
        found = self._unreachable.get(access, [])
        return found[0] if len(found) >= _MOST_UNREACHABLE else None

    def _waits(self, question: Question, said: Probed, wanted: float | None) -> bool:
        """Whether the question is asked again, when the registry wants to be asked again."""
        with self._condition:
            now = time.monotonic()
            if now >= self._resume:
                # Those that were asked at the same time are answered the same, which counts once.
                self._busy += 1
                self._resume = now + (2.0 ** (self._busy - 1) if wanted is None else wanted)
            left = self._common.whole.seconds - self._common.whole.passed_ms() / 1000
            if self._busy > _MOST_BUSY or self._resume - now >= left:
                self._given_up = said
                self._condition.notify_all()
                return False
            self.waiting.append(question)
            return True


class _Line:
    """One thread's connections to a host with its settings, credentials and tokens.

    :ivar answered: whether the last question was answered over HTTP at all.
    :ivar retry_after: seconds that its answer asked for.
    """

    def __init__(self, common: _Common, question: Question) -> None:
        self._common = common
        self._node = question.side.node
        self._turn = _Turn(common.whole, common.each)
        self._authorizations: dict[str, Authorization] = {}
        self.answered = False
        self.retry_after: float | None = None
        self._session: Session | None = None
        self._failed: Probed | None = None
        host = question.host
        endpoint = "%s://%s" % (host.scheme, host.host)
        try:
            contexts = common.trust(question.side).contexts(host.tls)
            self._session = Session(contexts, common.environment, self._turn, endpoint, host.tries_https_first)
        except Failure as failure:
            self._failed = Probed(failure.cause, failure.detail)

    def ask(self, question: Question) -> Probed:
        """Never raises."""
        target, session = question.target, self._session
        self.answered, self.retry_after = False, None
        if session is None or self._failed is not None:
            return self._failed or Probed("unknown", "")
        if target.problem:
            return Probed("unknown", "containerd cannot ask for %s: %s" % (target.url, target.problem))
        self._turn.begin()
        # A token is for one repository.
        authorization = self._authorizations.get(target.repository)
        if authorization is None:
            authorization = Authorization(session, self._node.credentials, target.repository, question.host.header)
            self._authorizations[target.repository] = authorization
        asker = _Asker(session, authorization)
        said = asked(asker, session, authorization, target, self._common.platform, question.content)
        self.answered, self.retry_after = asker.answered, asker.retry_after
        return said

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


class _Asker(Asker):
    """Notes whether there was an answer, and how long the other side wants to be left alone."""

    answered = False
    retry_after: float | None = None

    def _ask(self, method: str, url: str, accept: str, limit: int, follow: bool) -> Answer:
        answer = super()._ask(method, url, accept, limit, follow)
        self.answered = True
        if answer.status == 429:
            self.retry_after = retry_after(answer.headers.get("Retry-After") or "")
        return answer

    def worded(self, failure: Failure, method: str, url: str) -> Failure:
        """As it is: hundreds of images that a registry refuses would be asked for twice."""
        return failure
