# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry says beyond the status of a refusal, where its words are known.

containerd asks by HEAD, whose answer has no words, so its log cannot tell a project that is missing from a password
that is wrong. A probe can ask again. Only sentences of our own are passed on, never the server's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure

#: Refusals that are worth another question. A 429 is not: the question counts.
WORTH_ASKING = (401, 403, 412)
LIMIT = 1 << 14


class _Known(NamedTuple):
    status: int
    words: re.Pattern[bytes]
    sentence: str
    fix: str


def _known(status: int, words: bytes, sentence: str, fix: str = "") -> _Known:
    return _Known(status, re.compile(words, re.IGNORECASE), sentence, fix)


# Sources: goharbor/harbor src/pkg/project/dao/dao.go and src/server/middleware/{vulnerable,contenttrust}; for ECR, the
# guide "Troubleshooting Docker commands and issues".
_WORDS = (
    _known(401, rb"project [^\s\"]{1,255} not found", "it says that there is no such project",
           "Create the project at {host}, or correct the path or the rewrite of {endpoints}; the credentials are"
           " accepted."),
    _known(403, rb"authorization token has expired", "it says that the password has expired"),
    _known(412, rb"vulnerabilit", "it says that a policy about vulnerabilities forbids it"),
    _known(412, rb"not signed", "it says that a policy wants the image signed"),
)  # fmt: skip


def add_words(failure: Failure, body: bytes) -> None:
    """Make a refusal say what its body says, if that is known."""
    for known in _WORDS:
        if known.status == failure.status and known.words.search(body):
            failure.detail += ": " + known.sentence
            failure.fix = known.fix
            return
