# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearses a new configuration on a node: asks for every image under both configurations, and says what changes."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.result import Describer, Probed
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible

from .asking import SECONDS, Asking
from .in_use import BRINGS, InUse
from .old_logins import OldLogins
from .outcome import PULLS, Outcome, attempts, outcome
from .question import Side
from .rounds import Ask, Rounds, Route
from .verdict import Verdict, verdict
from .vocabulary import LOST, NOT_KNOWN, VARIABLE, VERDICTS, WORDS


class Rehearsal(NamedTuple):
    """``images`` as users get them, ``asked`` the number of questions, ``effect`` what the change means for pulls, in
    words, if that is known without asking."""

    images: list[dict[str, Any]]
    unreadable: list[str]
    asked: int
    effect: Sequence[str] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many images got which verdict; every verdict is there."""
        counted = Counter(item["verdict"] for item in self.images)
        return {name: counted[name] for name in VERDICTS}

    @property
    def stops(self) -> bool:
        """Whether an image would be lost that nobody has let go."""
        return any(item["verdict"] == LOST and not item["allowed"] for item in self.images)

    @property
    def headline(self) -> str:
        """How the images stand, in a line."""
        counted = ["%d %s" % (number, WORDS[name]) for name, number in self.counts.items() if number]
        images = "1 image" if len(self.images) == 1 else "%d images" % len(self.images)
        return "%s: %s" % (images, ", ".join(counted)) if counted else "no image is used"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **self._asdict(),
            "effect": list(self.effect),
            "counts": self.counts,
            "stops": self.stops,
            "headline": self.headline,
        }


NOTHING = Rehearsal([], [], 0)


def rehearse(
    used: InUse,
    before: Side,
    after: Side,
    environment: Mapping[str, str],
    allow: Iterable[str] = (),
    seconds: float = SECONDS,
    ask_all: Ask | None = None,
) -> Rehearsal:
    """
    :param used: the images of the node.
    :param environment: of the node's containerd.
    :param allow: patterns of images that may be lost.
    :param seconds: for all questions together.
    """
    # What a pod's own credentials may do is not known here.
    judged = [item for item in used.images if item.credentials != BRINGS]
    routes = {
        item: (Route(before, attempts(before.node, item.image)), Route(after, attempts(after.node, item.image)))
        for item in judged
    }
    rounds = Rounds(ask_all or Asking(), environment, seconds)
    old_logins = OldLogins(
        before, after, (target for old, _new in routes.values() for target in old.targets),
        (target for _old, new in routes.values() for target in new.targets),
    )  # fmt: skip
    now: list[Route] = []
    later: list[Route] = []
    for old, new in routes.values():
        now.append(new)
        (later if any(map(old_logins.has, old.targets)) else now).append(old)
    rounds.ask(now)
    rounds.ask(later, old_logins)
    rounds.fill([*now, *later])
    describers = (Describer(before.node), Describer(after.node))
    verdicts = []
    nothing = Outcome("", None, None)
    for item in used.images:
        old_end = new_end = nothing
        if item in routes:
            old_end, new_end = (_end(route, rounds.answers) for route in routes[item])
        verdicts.append(_described(verdict(item, old_end, new_end, list(allow)), *describers))
    return Rehearsal(verdicts, [visible(name) for name in used.unreadable], rounds.asked)


def _end(route: Route, answers: Mapping[Any, Probed]) -> Outcome:
    return outcome(route.hosts, lambda target: answers[route.side.key(target)])


def _described(found: Verdict, before: Describer, after: Describer) -> dict[str, Any]:
    decides = found.after
    said: Mapping[str, Any] = {}
    if decides.target is not None and decides.said is not None:
        said = after.result(decides.target, decides.said)
    message = "" if decides.state in ("", PULLS) else said.get("message", "")
    if found.name == NOT_KNOWN and found.reason:
        message = " ".join(filter(None, (found.reason[:1].upper() + found.reason[1:] + ".", message)))
    return {
        "image": visible(found.used.image.text),
        "users": [visible(user) for user in found.used.users],
        "verdict": found.name,
        "allowed": found.allowed,
        "before": _place(found.before, before),
        "after": _place(found.after, after),
        "endpoint": said.get("endpoint", ""),
        "cause": said.get("cause", ""),
        "message": message,
        "fix": "" if decides.state in ("", PULLS) else said.get("fix", ""),
        "digest": visible(found.digest),
        "running": [visible(digest) for digest in found.used.digests],
    }


def _place(end: Outcome, describer: Describer) -> str:
    """The URL from which an image comes, "" if it does not."""
    if end.state != PULLS or end.target is None or end.said is None:
        return ""
    return str(describer.result(end.target, end.said)["url"])


def refusal(found: Rehearsal) -> str:
    """Why a run stops, "" if it does not: image, endpoint, cause, fix, and what lets the run go on."""
    lost = [item for item in found.images if item["verdict"] == LOST and not item["allowed"]]
    if not lost:
        return ""
    lines = ["%s: %s %s" % (item["image"], item["message"], item["fix"]) for item in lost]
    count = "1 image" if len(lost) == 1 else "%d images" % len(lost)
    return "%s that this node uses could no longer be pulled:\n%s\nTo lose them on purpose, list them in %s." % (
        count,
        "\n".join(line.rstrip() for line in lines),
        VARIABLE,
    )
