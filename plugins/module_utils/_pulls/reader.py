# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads logs of any length, line by line, and keeps the latest failure per image.

Memory does not grow with the log: pulls in flight, lines that await their pull and failed images are each bounded,
the oldest goes first, and no line is kept beyond a few kilobytes.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, Iterable

from . import events
from .attempts import Affinity, Attempt, Pull, contradicts, explains, match, says_it_all, unresolved
from .diagnosis import diagnose
from .events import Event
from .image_names import RequestUrl, parse_image, parse_request
from .node_config import NodeConfig

MAX_LINE = 16384
_MAX_IN_FLIGHT = 256
_MAX_WAITING = 256
_MAX_HOSTS = 1024
_LONGEST_PULL = 900.0
# Up to this score a line that could be of several pulls waits until all but one have ended, see match().
_SURE = 3


class PullReader:
    """Takes the lines of one node's logs, oldest first, and says which pulls fail and why.

    :param config: the node's registries configuration, ``{"mirrors": {...}, "configs": {...}}``; {} or None if it
        is not known, ``"configs": None`` if only its mirrors are.
    :param images: only these images, in any spelling; all if empty.
    :param since: seconds since 1970; lines with an earlier time are passed over.
    :param max_images: how many failing images are kept.
    :param secrets: what must not be quoted, beside the credentials in ``config``.
    """

    def __init__(
        self,
        config: dict[str, Any] | None = None,
        images: Iterable[str] = (),
        since: float | None = None,
        max_images: int = 1000,
        secrets: Iterable[str] = (),
    ) -> None:
        self.lines = 0
        self._config = NodeConfig(config, secrets)
        self._images = frozenset(parse_image(image).full for image in images)
        self._since = since
        self._max_images = max_images
        self._time: float | None = None
        self._number = 0
        self._in_flight: OrderedDict[int, Pull] = OrderedDict()
        self._waiting: deque[Attempt] = deque(maxlen=_MAX_WAITING)
        self._undecoded: Event | None = None
        self._failures: OrderedDict[str, Pull] = OrderedDict()
        self._seen: dict[str, set[str]] = {}
        self._affinity = Affinity(self._seen, self._config.hosts())
        self._handlers = {
            events.STARTED: self._started,
            events.SUCCEEDED: self._succeeded,
            events.FAILED: self._failed,
            events.SANDBOX_FAILED: self._failed,
            events.KUBELET_FAILED: self._kubelet_failed,
            events.SANDBOX_STARTED: self._sandbox_started,
            events.ATTEMPT: self._attempted,
            events.UNDECODED: self._not_decoded,
            events.CANCELLED: self._cancelled,
            events.RESTARTED: self._restarted,
        }

    def read(self, lines: Iterable[bytes | str]) -> None:
        """Reads lines, as text or as bytes (then as UTF-8, what is none of it replaced)."""
        for line in lines:
            self.feed(line)

    def feed(self, line: bytes | str) -> None:
        """Reads one line. Never raises on any content."""
        self.lines += 1
        raw = line if isinstance(line, bytes) else line.encode("utf-8", "replace")
        if not events.interesting(raw):
            return
        event = events.read_event(raw[:MAX_LINE].decode("utf-8", "replace").rstrip("\r\n"))
        if event is None or self._too_old(event):
            return
        self._handlers[event.kind](event)

    def diagnoses(self) -> list[dict[str, Any]]:
        """The latest failure per image that has not been pulled since, in the order of their times."""
        return [diagnose(pull, self._config) for pull in self._failures.values()]

    def _too_old(self, event: Event) -> bool:
        if event.time is not None:
            self._time = event.time
        return self._since is not None and self._time is not None and self._time < self._since

    # What each event does.

    def _started(self, event: Event) -> None:
        pull = self._new_pull(event.image)
        self._in_flight[pull.number] = pull
        if len(self._in_flight) > _MAX_IN_FLIGHT:
            self._end(next(iter(self._in_flight.values())))

    def _succeeded(self, event: Event) -> None:
        pull = self._running(event.image)
        if pull:
            self._end(pull)
        self._failures.pop(parse_image(event.image).full, None)

    def _failed(self, event: Event) -> None:
        pull = self._running(event.image) if event.kind == events.FAILED else None
        if pull is None:
            pull = self._new_pull(event.image)
            pull.undecoded, self._undecoded = self._undecoded, None
        pull.outcome = event
        pull.from_sandbox = event.kind == events.SANDBOX_FAILED
        self._learn(parse_request(event.error))
        self._claim(pull)
        self._end(pull)
        self._keep(pull)

    def _kubelet_failed(self, event: Event) -> None:
        """The kubelet repeats what containerd logged, for minutes and with less around it: it only fills a gap."""
        known = self._failures.get(parse_image(event.image).full)
        if (known is None or known.from_kubelet) and self._running(event.image) is None:
            pull = self._new_pull(event.image)
            pull.outcome = event
            pull.from_kubelet = True
            self._keep(pull)

    def _sandbox_started(self, _event: Event) -> None:
        """A sandbox runs, so the pause image is there: no line names it."""
        for image in [image for image, pull in self._failures.items() if pull.from_sandbox]:
            del self._failures[image]

    def _attempted(self, event: Event) -> None:
        attempt = Attempt(event, self.lines, self._config.is_embedded(event.host))
        self._learn(attempt.request)
        affinity = self._affinity
        scores = (
            (number, match(attempt, pull, affinity)) for number, pull in self._in_flight.items() if not pull.last_line
        )
        candidates = {number: score for number, score in scores if score}
        best = max(candidates.values(), default=0)
        fitting = [number for number, score in candidates.items() if score == best]
        if len(fitting) == 1 and (best > _SURE or len(candidates) == 1):
            self._in_flight[fitting[0]].add(attempt)
            for waiting in self._waiting if attempt.last else ():
                if self._in_flight[fitting[0]].excludes(waiting):
                    waiting.candidates.pop(fitting[0], None)
            return
        attempt.sure = False
        attempt.candidates = candidates
        self._waiting.append(attempt)

    def _learn(self, request: RequestUrl | None) -> None:
        """Notes which registry a host is a mirror of, if a URL says so."""
        if not request or not request.namespace or len(self._seen) >= _MAX_HOSTS:
            return
        registries = self._seen.setdefault(request.host, set())
        if request.namespace not in registries:
            registries.add(request.namespace)
            for waiting in self._waiting:
                if waiting.host == request.host:
                    known = (number for number in waiting.candidates if number in self._in_flight)
                    waiting.candidates = {
                        number: match(waiting, self._in_flight[number], self._affinity) for number in known
                    }

    def _not_decoded(self, event: Event) -> None:
        """A hosts.toml was dropped: containerd 2.x names the file, so the registry; 1.x says it right after a start."""
        directory = event.path.rsplit("/", 2)[-2] if "/" in event.path else ""
        for pull in reversed(list(self._in_flight.values())):
            registry = pull.image.registry
            named = directory in (registry, registry.replace(":", "_") + "_", registry.replace(":", "_"), "_default")
            if named or (not directory and not pull.attempts):
                pull.undecoded = event
                if not directory:
                    return
        if not self._in_flight:
            self._undecoded = event

    def _cancelled(self, event: Event) -> None:
        pull = self._running(event.image)
        if pull:
            pull.cancelled = event

    def _restarted(self, _event: Event) -> None:
        """containerd started anew: nothing that was in flight goes on."""
        self._in_flight.clear()
        self._waiting.clear()
        self._undecoded = None

    # Pulls and the lines that wait for theirs.

    def _new_pull(self, image: str) -> Pull:
        self._number += 1
        return Pull(parse_image(image), self._number)

    def _running(self, image: str) -> Pull | None:
        full = parse_image(image).full
        return next((pull for pull in self._in_flight.values() if pull.image.full == full), None)

    def _end(self, pull: Pull) -> None:
        """Takes a pull out of flight; a line that could have been of two is now the other's."""
        self._in_flight.pop(pull.number, None)
        remaining: deque[Attempt] = deque(maxlen=_MAX_WAITING)
        for attempt in self._waiting:
            waited_for_one = bool(attempt.candidates)
            attempt.candidates.pop(pull.number, None)
            if len(attempt.candidates) == 1:
                (number,) = attempt.candidates
                if number in self._in_flight:
                    attempt.sure = True
                    self._in_flight[number].add(attempt)
                    continue
            if attempt.candidates or not waited_for_one:
                remaining.append(attempt)
        self._waiting = remaining

    def _claim(self, pull: Pull) -> None:
        """Gives a failed pull the waiting lines that fit it best, one per endpoint and path."""
        in_flight = pull.number in self._in_flight
        tail = unresolved(pull.outcome.error) if pull.outcome else ""
        taken: set[int] = set()
        possible = (item for item in self._waiting if not in_flight or item.candidates.get(pull.number))
        # The line that the pull's error is about comes first: it rules others out.
        for attempt in sorted(possible, key=lambda item: not explains(item, tail)):
            if self._fits(attempt, pull, tail, in_flight) and self._has_room(attempt, pull):
                pull.add(attempt)
                taken.add(attempt.number)
        if taken:
            rest = (attempt for attempt in self._waiting if attempt.number not in taken)
            self._waiting = deque(rest, maxlen=_MAX_WAITING)

    def _has_room(self, attempt: Attempt, pull: Pull) -> bool:
        """Whether a pull may have one more line of an attempt's host."""
        same = [known for known in pull.attempts if known.host == attempt.host]
        most = max(1, self._config.times_asked(pull.image.registry, attempt.host)) * (2 if pull.by_digest else 1)
        if len(same) < most or self._config.known:
            return len(same) < most
        # A registry that lacks an image and does not answer, both in one pull, was asked twice: as its own mirror, too.
        statuses = {known.finding.status == 404 for known in [*same, attempt]}
        return pull.is_default(attempt.host) and len(same) == 1 and len(statuses) == 2

    def _fits(self, attempt: Attempt, pull: Pull, tail: str, in_flight: bool) -> bool:
        if pull.excludes(attempt) or contradicts(attempt, tail, pull.attempts):
            return False
        if in_flight:
            mine = attempt.candidates[pull.number]
            if mine < max(attempt.candidates.values()):
                return False
            return not (self._rivalled(attempt, pull, mine) and (not tail or says_it_all(tail, pull, attempt)))
        # A pull whose start is not in the log (rotated away), or of a sandbox's image, which has no such line.
        ended, tried = pull.outcome.time if pull.outcome else None, attempt.event.time
        if ended is not None and tried is not None and ended - tried > _LONGEST_PULL:
            return False
        return match(attempt, pull, self._affinity) > max(attempt.candidates.values(), default=0)

    def _rivalled(self, attempt: Attempt, pull: Pull, score: int) -> bool:
        """Whether a line may as well be another pull's, of another image."""
        equal = (number for number, other in attempt.candidates.items() if other == score and number != pull.number)
        return any(number in self._in_flight and self._in_flight[number].image != pull.image for number in equal)

    def _keep(self, pull: Pull) -> None:
        full = pull.image.full
        self._failures.pop(full, None)
        if self._images and full not in self._images:
            return
        pull.attempts.sort(key=lambda attempt: attempt.event.time or 0.0)
        self._failures[full] = pull
        if len(self._failures) > self._max_images:
            self._failures.popitem(last=False)
