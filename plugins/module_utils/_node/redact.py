# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of the node's logs, without the secrets that they may quote."""

from __future__ import annotations

import re
from typing import Iterable

HIDDEN = "********"

# user:password@ in a URL, an Authorization header, a token or password given as key=value or key: value.
_PATTERNS = (
    (re.compile(r"(?i)(://)[^/\s\"'@]+@"), r"\1" + HIDDEN + "@"),
    (re.compile(r"(?i)\b(authorization\\?\"?\s*[:=]\s*\\?\"?)(?:basic|bearer)?\s*[^\s\"\\,]+"), r"\1" + HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 " + HIDDEN),
    (
        re.compile(
            r"(?i)\b((?:[a-z]+_)?(?:password|passwd|identity_?token|refresh_token|access_token|token|secret)\\?\"?\s*[:=]\s*\\?\"?)[^\s\"\\,&]+"
        ),
        r"\1" + HIDDEN,
    ),
)


class Redactor:
    """Hides known secrets and what looks like one. Short known values (under 4 characters) hide too much to help
    and are left to the patterns."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """``text`` with every secret replaced."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def lines(self, lines: Iterable[str]) -> list[str]:
        return [self.text(line) for line in lines]
