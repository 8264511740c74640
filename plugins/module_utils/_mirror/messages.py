# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror's sentences as they leave the machine that copies: what others said in them holds no secret and no escape.

Only sentences: names, places and digests are data, checked where they come in, and a repository that is called like a
password is still that repository.
"""

from __future__ import annotations

import dataclasses
from typing import Iterable
from urllib.parse import quote

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import redact, visible

from .access import Access
from .exchange import Answer

_LONGEST = 2000
_SHORTEST_SECRET = 4


class Messages:
    """Makes sentences fit to be shown.

    :param accesses: of both sides.
    """

    def __init__(self, accesses: Iterable[Access]) -> None:
        found: set[str] = set()
        for access in accesses:
            for secret in (access.password, access.identity_token):
                found.update((secret, quote(secret, safe="")))
            if access.password:
                found.add(access.basic.partition(" ")[2])
        # A short one would take words apart that everybody may read.
        self._secrets = sorted((secret for secret in found if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)

    def text(self, sentence: str) -> str:
        """One sentence."""
        return visible(redact(sentence[: 2 * _LONGEST], self._secrets))[:_LONGEST]

    def clean(self, answer: Answer) -> Answer:
        """An answer to the controller with its sentences made fit to be shown."""
        for item in answer.items:
            item.message, item.note = self.text(item.message), self.text(item.note)
        broken = {
            side: problem._replace(**{name: self.text(getattr(problem, name)) for name in ("seen", "said", "advice")})
            for side, problem in answer.broken.items()
        }
        return dataclasses.replace(answer, broken=broken)
