# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror's sentences as they leave the machine that copies: what others said in them holds no secret and no escape.

Only sentences: names, places and digests are data, checked where they come in, and a repository that is called like a
password is still that repository.
"""

from __future__ import annotations

import base64
from typing import Any, Mapping
from urllib.parse import quote

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import redact, visible

_SENTENCES = ("message", "note", "seen", "said", "advice")
_LONGEST = 2000
_SHORTEST_SECRET = 4


class Messages:
    """Makes sentences fit to be shown.

    :param accesses: of each side, as the controller sends them.
    """

    def __init__(self, accesses: Mapping[str, Mapping[str, Any]]) -> None:
        found: set[str] = set()
        for given in accesses.values():
            for key in ("password", "identity_token"):
                secret = str(given.get(key) or "")
                found.update((secret, quote(secret, safe="")))
            pair = "%s:%s" % (given.get("username", ""), given.get("password", ""))
            if given.get("password"):
                found.add(base64.b64encode(pair.encode("utf-8")).decode("ascii"))
        # A short one would take words apart that everybody may read.
        self._secrets = sorted((secret for secret in found if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)

    def text(self, sentence: str) -> str:
        """One sentence."""
        return visible(redact(sentence[: 2 * _LONGEST], self._secrets))[:_LONGEST]

    def of_answer(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """An answer to the controller with its sentences made fit to be shown."""
        found = dict(answer)
        for key in ("items", "images"):
            if key in found:
                found[key] = [self._of(item) for item in found[key]]
        if "broken" in found:
            found["broken"] = {side: self._of(problem) for side, problem in found["broken"].items()}
        return found

    def _of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self.text(value) if key in _SENTENCES else value for key, value in item.items()}
