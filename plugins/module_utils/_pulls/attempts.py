# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pull as the log shows it, and to which pull a line about a host belongs.

The lines between a pull's start and its end name the host that was tried, never the image. Their URL, where they have
one, carries the tag or digest and, for a mirror, the registry (``?ns=``); a line about an HTTP status has no URL.
"""

from __future__ import annotations

import re
from typing import Iterable, NamedTuple

from .causes import Finding, classify
from .events import Event
from .image_names import ImageName, RequestUrl, parse_request

_MAX_ATTEMPTS = 32
_UNRESOLVED = re.compile(r'failed to resolve reference "[^"]*": ')


class Attempt:
    """A host that containerd asked in vain; ``embedded`` is K3s' own registry, which has only what some node has."""

    __slots__ = ("_finding", "candidates", "embedded", "error", "event", "host", "last", "number", "request", "sure")

    def __init__(self, event: Event, number: int = 0, embedded: bool = False) -> None:
        self.event = event
        self.embedded = embedded
        self.number = number
        # Whether containerd 2.1 or later says that it was the pull's last host.
        self.last = "fetch failed" in event.line
        self.host = event.host
        self.error = event.error
        request = parse_request(event.error)
        # The URL of a token server says nothing about the image.
        self.request: RequestUrl | None = request if request and request.object else None
        self.candidates: dict[int, int] = {}
        self.sure = True
        self._finding: Finding | None = None

    @property
    def finding(self) -> Finding:
        """What the line says went wrong; found when asked, since most lines never are."""
        if self._finding is None:
            self._finding = classify(self.error)
        return self._finding


class Pull:
    """A pull between its start and its end, with the lines that belong to it."""

    def __init__(self, image: ImageName, number: int) -> None:
        self.image = image
        self.own_hosts = frozenset((image.default_host, image.registry))
        self.number = number
        self.attempts: list[Attempt] = []
        self.last_line = 0
        self.undecoded: Event | None = None
        self.cancelled: Event | None = None
        self.outcome: Event | None = None
        self.from_sandbox = False
        self.from_kubelet = False

    def add(self, attempt: Attempt) -> None:
        """Takes an attempt; a pull that retries for long keeps its first ones."""
        if len(self.attempts) < _MAX_ATTEMPTS:
            self.attempts.append(attempt)
        # For a digest, all hosts are asked twice over: for a manifest, then for a blob.
        if attempt.last and not self.by_digest:
            self.last_line = attempt.number

    def excludes(self, attempt: Attempt) -> bool:
        """Whether its last host was asked before, or was another one."""
        return self.last_line > 0 and (attempt.last or attempt.number > self.last_line)

    @property
    def by_digest(self) -> bool:
        """Whether the image is named by its digest, so that its hosts may be asked in two rounds."""
        return ":" in self.image.object

    def is_default(self, host: str) -> bool:
        """Whether `host` is the registry's own: its default endpoint, or a mirror there, see own_registry.py."""
        return host in self.own_hosts


def is_of_content(error: str) -> bool:
    """Whether the error that ended a pull is about the image's content: a host had resolved it."""
    return "failed to pull and unpack image" in error and "failed to resolve reference" not in error


def unresolved(error: str) -> str:
    """Why no host resolved the image, out of the error that ended its pull; "" if that is not what happened."""
    parts = _UNRESOLVED.split(error, maxsplit=1)
    return parts[1] if len(parts) > 1 else ""


def contradicts(attempt: Attempt, tail: str, others: Iterable[Attempt]) -> bool:
    """Whether an attempt cannot be of the pull that was unresolved for `tail` and whose attempts so far are `others`.

    containerd 2.x ends a pull that no host resolves with the error of the highest class: an HTTP status, then a 404,
    then anything else, of which it takes the first, as 1.x does among errors that are no 404.
    """
    if not tail:
        return False
    answered = tail.startswith(("unexpected status from", "pulling from host"))
    missing = tail.endswith(": not found")
    if "after status: " in attempt.event.line:
        return not answered and not (missing and attempt.finding.status == 404)
    if answered or missing or not attempt.error or attempt.finding.status == 404 or tail == attempt.error:
        return False
    return not any(other.number < attempt.number and tail == other.error for other in others)


def explains(attempt: Attempt, tail: str) -> bool:
    """Whether an attempt is what left a pull unresolved for `tail`, as far as the two texts tell."""
    if tail.endswith(": not found"):
        return attempt.finding.status == 404
    if tail.startswith("unexpected status from"):
        request = parse_request(tail)
        return request is not None and request.host == attempt.host
    return bool(tail) and attempt.error == tail


def says_it_all(tail: str, pull: Pull, attempt: Attempt) -> bool:
    """Whether a pull needs no line that may as well be another pull's, for which it may be all there is."""
    request = parse_request(tail)
    if request and request.namespace:
        return attempt.host != request.host
    if tail.endswith(": not found"):
        lacking = (known.host for known in pull.attempts if known.finding.status == 404)
        return any(not pull.is_default(host) for host in lacking)
    answered = tail.startswith(("unexpected status from", "pulling from host"))
    return not answered and attempt.error != tail and attempt.finding.status != 404


class Affinity(NamedTuple):
    """What is known about hosts: which registries they were seen to be asked for, which they are configured for."""

    seen: dict[str, set[str]]
    configured: dict[str, set[str]]

    def serves(self, host: str, registry: str) -> bool:
        """Whether `host` is known to be a mirror of `registry`."""
        return registry in self.seen.get(host, ()) or not self.configured.get(host, {"*"}).isdisjoint({registry, "*"})

    def is_mirror(self, host: str, registry: str) -> bool:
        """Whether `host` is configured as a mirror of `registry`."""
        return not self.configured.get(host, set()).isdisjoint({registry, "*"})


def match(attempt: Attempt, pull: Pull, affinity: Affinity) -> int:
    """How well an attempt fits a pull: 0 not at all, then the higher the better; below 3 it is a guess."""
    image = pull.image
    request = attempt.request
    own = pull.is_default(attempt.host)
    if request is None:
        if own:
            return 3
        return 2 if affinity.serves(attempt.host, image.registry) else 1
    if request.object != image.object:
        return 0
    same_repository = request.repository == image.repository or request.repository.endswith("/" + image.repository)
    if request.namespace:
        return (5 if same_repository else 4) if request.namespace == image.registry else 0
    if own:
        # If the registry is a mirror of itself, a rewrite may have changed the repository.
        return 5 if same_repository else int(affinity.is_mirror(attempt.host, image.registry))
    # containerd adds ?ns= to every request to a mirror, but not every log is the daemon's.
    return 3 if same_repository else 1
