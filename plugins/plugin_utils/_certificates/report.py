# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects what the checks find, and words where they found it."""

from __future__ import annotations

import datetime
import re
import shlex
from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import certificates as rules
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import Rule
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import expiry
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import counted

from .certificate import Certificate

_FILE = re.compile(r"\((.+)\)\s*\Z")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Report:
    """Findings and facts of one bundle. `source` below is always one of the keys of `sources`."""

    def __init__(self, now: datetime.datetime, sources: Mapping[str, str]) -> None:
        self.findings: list[dict[str, str]] = []
        self.facts: list[dict[str, Any]] = []
        self._now = now if now.tzinfo else now.replace(tzinfo=datetime.timezone.utc)
        self._sources = sources

    def file(self, source: str) -> str:
        """The file's name as commands in advice show it, FILE if the text came from elsewhere."""
        match = _FILE.search(self._sources.get(source, ""))
        return shlex.quote(match.group(1)) if match else "FILE"

    def add(self, rule: Rule, source: str, message: str, fix: str = "") -> None:
        """A finding about the whole source."""
        match = _FILE.search(self._sources.get(source, ""))
        where = f"{match.group(1)}: " if match else ""
        fix = re.sub(r"\bFILE\b", lambda _match: self.file(source), fix or rule.fix)
        self.findings.append(rule.finding(self._sources.get(source, source), where + message, fix))

    def add_block(self, rule: Rule, source: str, number: int, problem: str, fix: str = "", line: int = 0) -> None:
        """A finding about one block of the source."""
        self.add(rule, source, f"block {number}{f' (line {line})' if line else ''} {problem}", fix)

    def add_certificate(self, rule: Rule, source: str, certificate: Certificate, problem: str, fix: str = "") -> None:
        """A finding about one certificate of the source."""
        self.add(rule, source, f"block {certificate.number}, certificate {certificate.title}, {problem}", fix)

    def describe(self, source: str, certificates: list[Certificate]) -> None:
        """Adds the facts about the certificates of a source."""
        for position, certificate in enumerate(certificates, start=1):
            self.facts.append(
                {
                    "source": source,
                    "position": position,
                    "subject": certificate.subject,
                    "issuer": certificate.issuer,
                    "sha256": certificate.sha256,
                    "not_before": certificate.not_before.strftime(_TIME),
                    "not_after": certificate.not_after.strftime(_TIME),
                    "days_left": certificate.days_left(self._now),
                    "kind": certificate.kind,
                    "key_type": certificate.key_type,
                    "names": certificate.names,
                    "chain_length": len(certificates),
                }
            )

    def check_validity(self, source: str, certificates: list[Certificate]) -> None:
        """Expired, soon to expire, not yet valid, weak: for every certificate of a source."""
        for certificate in certificates:
            until = certificate.not_after.strftime(_TIME)
            days = certificate.days_left(self._now)
            if expiry.level(days) == "error":
                self.add_certificate(
                    rules.EXPIRED, source, certificate, f"expired on {until} ({counted(-days, 'day')} ago)"
                )
            elif expiry.level(days) == "warning":
                self.add_certificate(
                    rules.EXPIRES_SOON, source, certificate, f"expires on {until} (in {counted(days, 'day')})"
                )
            if certificate.not_before > self._now:
                since = certificate.not_before.strftime(_TIME)
                self.add_certificate(rules.NOT_YET_VALID, source, certificate, f"is not valid before {since}")
            if not certificate.is_usable_in_go:
                self.add_certificate(
                    rules.KEY_TYPE, source, certificate, f"has a key that Go does not know ({certificate.key_type})"
                )
            elif certificate.weakness:
                self.add_certificate(rules.WEAK, source, certificate, certificate.weakness)
