# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings that somebody knows about: ignored at a place, by a comment in the file or an entry of a variable.

``# k3s-lint: ignore K3R215: the reason`` concerns the line that it ends, or the next line if it has one of its own.
Every ignore gives a reason and matches something, or it is itself a finding.
"""

from __future__ import annotations

import fnmatch
import os
import re
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.ignoring import MATCHES_NOTHING, WITHOUT_REASON
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.naming import path
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import redact, visible

from .document import Document

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*k3s-lint:\s*(?P<verb>\w*)\s*(?P<rest>.*?)\s*$", re.IGNORECASE)
_CODES = re.compile(r"\s*(?P<codes>K3R\d{3}\b(?:[\s,]+K3R\d{3}\b)*)[\s:,;.-]*(?P<reason>.*)", re.IGNORECASE)
_PART = re.compile(r'"(?:[^"\\]|\\.)*"|\[\d+\]|[^."\[\]]+')
_KEYS = ("rule", "reason", "file", "path")
_VARIABLE = "k3s_registries_lint_ignore"


class IgnoreProblem(ValueError):
    """The variable does not have the form of a list of ignores; the text says what is wrong."""


class Ignore(NamedTuple):
    """What is ignored, and where: `line` in the file itself, or `file` and `path` of the variable."""

    codes: tuple[str, ...]
    reason: str
    source: str
    line: int = 0
    file: str = ""
    path: str = ""

    def matches(self, finding: Mapping[str, Any], file: str) -> bool:
        if finding["code"] not in self.codes:
            return False
        if self.line:
            return finding.get("line") == self.line
        if self.file and not any(fnmatch.fnmatch(name, self.file) for name in (file, os.path.basename(file))):
            return False
        # Whoever writes a path need not know which of its keys lint quotes.
        return not self.path or self.path.replace('"', "") in _above(finding["path"])


class Ignored(NamedTuple):
    """A finding that is not reported, and why."""

    finding: dict[str, Any]
    ignore: Ignore


class Heeded(NamedTuple):
    """`findings` are those that stay, `ignored` the others; `unused` are the ignores that matched nothing here."""

    findings: list[dict[str, Any]]
    ignored: list[Ignored]
    unused: list[Ignore]


def _above(where: str) -> set[str]:
    """A path and all above it, without quotes; a dot in a name is no step."""
    found = set()
    so_far = ""
    for part in _PART.findall(where):
        so_far += part if part.startswith("[") or not so_far else "." + part
        found.add(so_far.replace('"', ""))
    return found


def heed(
    findings: Iterable[dict[str, Any]], document: Document | None, file: str = "", more: Sequence[Ignore] = ()
) -> Heeded:
    """The findings about one file without those that its comments, or the ignores of the variable, speak of.

    :param document: the file; None for a configuration that is no text.
    :param more: the ignores of the variable.
    """
    ignores: list[Ignore] = list(more)
    said: list[dict[str, Any]] = []
    if document is not None and document.problem is None:
        in_text, said = _comments(document)
        ignores += in_text
    kept: list[dict[str, Any]] = []
    ignored: list[Ignored] = []
    used: set[Ignore] = set()
    for finding in findings:
        by = [ignore for ignore in ignores if ignore.matches(finding, file)]
        used.update(by)
        if by:
            ignored.append(Ignored(finding, by[0]))
        else:
            kept.append(finding)
    unused = [ignore for ignore in ignores if ignore not in used]
    said += [unused_finding(ignore) for ignore in unused if ignore not in more]
    return Heeded(kept + said, ignored, [ignore for ignore in unused if ignore in more])


def unused_finding(ignore: Ignore) -> dict[str, Any]:
    """The finding about an ignore that has matched nothing."""
    where = "" if ignore.line else ignore.source
    place_said = "in that line" if ignore.line else "there"
    message = f"nothing to ignore: no finding {' or '.join(ignore.codes)} {place_said}"
    place: dict[str, Any] = {}
    if ignore.line:
        place = {"line": int(ignore.source.partition(":")[0]), "column": int(ignore.source.partition(":")[2])}
    return {**MATCHES_NOTHING.finding(where, message), **place}


def of_variable(given: Any) -> tuple[list[Ignore], list[dict[str, Any]]]:
    """The ignores of the variable, and findings about those that cannot be heeded.

    :param given: a list of `rule` (a code or a list of codes), `reason`, and optionally `file` (a pattern) and `path`.
    :raises IgnoreProblem: if it is anything else.
    """
    if not isinstance(given, (list, tuple)):
        raise IgnoreProblem(f"{_VARIABLE} must be a list of mappings with rule and reason")
    ignores = []
    findings: list[dict[str, Any]] = []
    for index, entry in enumerate(given):
        where = path(_VARIABLE, index)
        if not isinstance(entry, Mapping) or any(key not in _KEYS for key in entry):
            raise IgnoreProblem(f"{where} must be a mapping with rule and reason, and optionally file and path")
        rules = entry.get("rule") or ()
        codes = tuple(str(code).upper() for code in (rules if isinstance(rules, (list, tuple)) else [rules]))
        reason = str(entry.get("reason") or "").strip()
        if not codes or not reason:
            what = "names no rule" if not codes else "gives no reason"
            findings.append(WITHOUT_REASON.finding(where, f"the ignore {what} and is not heeded"))
            continue
        file, place = (str(entry.get(key) or "") for key in ("file", "path"))
        ignores.append(Ignore(codes, _shown(reason), where, file=file, path=place))
    return ignores, findings


def _comments(document: Document) -> tuple[list[Ignore], list[dict[str, Any]]]:
    ignores = []
    findings: list[dict[str, Any]] = []
    for number, line in enumerate(document.lines, 1):
        match = _COMMENT.search(line) if "k3s-lint" in line.lower() else None
        if match is None:
            continue
        column = match.start() + 1
        if document.is_value(number, column):
            continue
        said = _CODES.match(match.group("rest")) if match.group("verb").lower() == "ignore" else None
        if said is None or not said.group("reason"):
            what = "gives no reason" if said else "is not # k3s-lint: ignore, a rule's code and a reason"
            finding = WITHOUT_REASON.finding("", f"the comment {what}, and is not heeded")
            findings.append({**finding, "line": number, "column": column})
            continue
        codes = tuple(re.findall(r"K3R\d{3}", said.group("codes").upper()))
        alone = not line[: match.start()].strip()
        meant = _next_line(document, number) if alone else number
        ignores.append(Ignore(codes, _shown(said.group("reason")), f"{number}:{column}", line=meant))
    return ignores, findings


def _next_line(document: Document, number: int) -> int:
    for following in range(number + 1, len(document.lines) + 1):
        line = document.line(following).strip()
        if line and not line.startswith("#"):
            return following
    return number


def _shown(reason: str) -> str:
    return visible(redact(reason))
