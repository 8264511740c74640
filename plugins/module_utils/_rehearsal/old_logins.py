# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that would try a login which the new configuration replaces. Pure.

If a password is changed at the registry first and rolled out then, the old one no longer works, and a registry that
locks accounts after a few failures must not be asked with it for image after image. So what the new login is answered
stands for the old one, too. The old one is tried only for what the new one may not have, and no more once it has been
refused.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.result import Probed
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import Target

from .question import NO_LOGIN, Question, Side, host_of

_ABOUT_THE_LOGIN = ("unauthorized", "forbidden", "token_refused")
_LOGIN_REFUSED = ("unauthorized", "token_refused")


class OldLogins:
    """
    :param old: everything that may be asked under the configuration that is in force.
    :param new: the same under the new one.
    """

    def __init__(self, before: Side, after: Side, old: Iterable[Target], new: Iterable[Target]) -> None:
        self._before = before
        self._new_answers: dict[Any, Any] = {}
        logins: dict[Any, set[Any]] = {}
        for target in new:
            self._new_answers[after.same_but_for_the_login(target)] = after.key(target)
            logins.setdefault(_server(target), set()).add(after.login(host_of(target)))
        self._replaced = {
            before.access(host_of(target))
            for target in old
            if before.login(host_of(target)) not in (NO_LOGIN, *logins.get(_server(target), (NO_LOGIN,)))
            and _server(target) in logins
        }

    def has(self, target: Target) -> bool:
        """Whether the question about this target tries a login that the new configuration replaces."""
        return self._before.access(host_of(target)) in self._replaced

    def known(self, question: Question, answers: Mapping[Any, Probed]) -> Probed | None:
        """What the new login was answered, if that tells what the old one would be."""
        found = answers.get(self._new_answers.get(question.side.same_but_for_the_login(question.target)))
        return None if found is None or found.cause in _ABOUT_THE_LOGIN else found


def is_refused(said: Probed) -> bool:
    """Whether the login itself was refused, and not something that it may not have."""
    return said.cause in _LOGIN_REFUSED


def _server(target: Target) -> Any:
    host = host_of(target)
    return (host.scheme, host.host.lower())
