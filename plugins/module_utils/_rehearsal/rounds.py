# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks in rounds, one for each place in the order of the endpoints.

As containerd does, nobody asks the next endpoint for an image that an earlier one has: whose images are private does
not tell their names to public registries.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.result import Probed
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import Target
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import DOCKER_HUB

from .asking import not_asked
from .old_logins import OldLogins, is_refused
from .outcome import is_decided
from .question import Question, Side

Ask = Callable[[Sequence[Question], Mapping[str, str], float], Mapping[Any, Probed]]


class Route(NamedTuple):
    """The hosts that are asked for an image under a configuration, in order, each with its targets."""

    side: Side
    hosts: Sequence[Sequence[Target]]

    @property
    def targets(self) -> list[Target]:
        return [target for host in self.hosts for target in host]


class Rounds:
    """
    :param seconds: for all questions together.
    :ivar answers: by the questions' keys.
    :ivar asked: how many questions were asked.
    """

    def __init__(self, ask_all: Ask, environment: Mapping[str, str], seconds: float) -> None:
        self.answers: dict[Any, Probed] = {}
        self.asked = 0
        self._ask_all = ask_all
        self._environment = environment
        self._seconds = seconds
        self._deadline = Deadline(seconds)
        # By how a server is asked: what the first try of an old login was answered.
        self._tried: dict[Any, Probed] = {}

    def ask(self, routes: Sequence[Route], old_logins: OldLogins | None = None) -> None:
        """Ask for as much of each route as it takes to know where the image comes from.

        :param old_logins: to spare those.
        """
        for place in range(max((len(hosts) for _side, hosts in routes), default=0)):
            questions: dict[Any, Question] = {}
            for side, hosts in routes:
                if not self._is_decided(side, hosts[:place]):
                    _add(questions, side, hosts[place : place + 1])
            new_ones = [question for key, question in questions.items() if key not in self.answers]
            self._send(new_ones if old_logins is None else self._worth_a_try(new_ones, old_logins))

    def fill(self, routes: Iterable[Route]) -> None:
        """Enter what stands for the answers to the questions that nobody had to ask."""
        rest: dict[Any, Question] = {}
        for side, hosts in routes:
            _add(rest, side, hosts)
        left = [question for key, question in rest.items() if key not in self.answers]
        self.answers.update(not_asked(left, self._environment))

    def _send(self, questions: Sequence[Question]) -> None:
        if questions:
            left = max(0.0, self._seconds - self._deadline.passed_ms() / 1000)
            self.answers.update(self._ask_all(questions, self._environment, left))
            self.asked += len(questions)

    def _worth_a_try(self, questions: Sequence[Question], old_logins: OldLogins) -> list[Question]:
        """Those that remain when an old login has been tried once."""
        left: list[Question] = []
        first: dict[Any, Question] = {}
        for question in questions:
            known = old_logins.known(question, self.answers)
            if known is not None:
                self.answers[question.key] = known
                continue
            left.append(question)
            access = question.side.access(question.host)
            if old_logins.has(question.target) and access not in self._tried:
                first.setdefault(access, question)
        self._send(list(first.values()))
        self._tried.update({access: self.answers[question.key] for access, question in first.items()})
        worth = []
        for question in left:
            said = self._tried.get(question.side.access(question.host))
            if said is not None and is_refused(said):
                self.answers[question.key] = said
            elif question.key not in self.answers:
                worth.append(question)
        return worth

    def _is_decided(self, side: Side, hosts: Iterable[Sequence[Target]]) -> bool:
        return any(is_decided([(target, self.answers[side.key(target)]) for target in host]) for host in hosts)


def _add(questions: dict[Any, Question], side: Side, hosts: Iterable[Sequence[Target]]) -> None:
    for target in (target for host in hosts for target in host):
        # Content on both sides: what is broken today is neither fine where it stays nor lost where it goes.
        questions.setdefault(side.key(target), Question(side, target, _is_free(target)))


def _is_free(target: Target) -> bool:
    """Whether a manifest may be read: Docker Hub counts that, also for a mirror that passes the question on."""
    return target.image is not None and target.image.registry != DOCKER_HUB
