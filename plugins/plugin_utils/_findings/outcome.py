# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lint finds in several files, by the levels and ignores of whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import certificates as _certificates
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import CATALOGUE, ERROR, WARNING
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint import lint
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import UNKNOWN, NodeFacts

from .document import Document
from .excerpt import with_excerpts
from .ignores import Ignore, heed, of_variable, unused_finding
from .text import lint_document

#: Imported for the rules that they declare: their levels can be set, too.
DECLARING = (_certificates,)

ERRORS, WARNINGS, NEVER = "error", "warning", "never"
FAIL_ON = (ERRORS, WARNINGS, NEVER)


class LevelsProblem(ValueError):
    """A level is set for no rule, or is none; the text says which."""


class Source(NamedTuple):
    """What is looked at, by the name that findings give it: text, a file's bytes, or a configuration as a mapping."""

    name: str
    content: Any


class Settings(NamedTuple):
    """What is known of the nodes, and what whoever runs lint wants to hear.

    levels: rules whose findings have another level, by code.
    ignore: see `ignores.of_variable`.
    """

    nodes: NodeFacts = UNKNOWN
    levels: Mapping[str, str] = {}
    ignore: Sequence[Any] = ()


@dataclass
class Outcome:
    """`findings` by file and line. Beside the five keys of every finding they have `file`, and, if there is a place for
    them in a text, `line`, `column` and `excerpt`: the line and its marker. `ignored` have a `reason` and `ignored_by`.
    """

    files: list[str] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[dict[str, Any]] = field(default_factory=list)

    @property
    def errors(self) -> int:
        return sum(finding["level"] == ERROR for finding in self.findings)

    @property
    def warnings(self) -> int:
        return len(self.findings) - self.errors

    def fails(self, fail_on: str) -> bool:
        """Whether that is enough to fail."""
        return {ERRORS: self.errors > 0, WARNINGS: bool(self.findings), NEVER: False}[fail_on]


def examine(sources: Iterable[Source], settings: Settings) -> Outcome:
    """The findings about all sources together.

    :raises LevelsProblem: if `levels` names what is no rule or no level.
    :raises IgnoreProblem: if `ignore` has another form.
    """
    _check(settings.levels)
    ignores, said = of_variable(settings.ignore)
    outcome = Outcome()
    used: set[Ignore] = set()
    for source in sources:
        outcome.files.append(source.name)
        used |= _one(source, settings, ignores, outcome)
    said += [unused_finding(ignore) for ignore in ignores if ignore not in used]
    outcome.findings += [{**_levelled(finding, settings.levels), "file": ""} for finding in said]
    return outcome


def _one(source: Source, settings: Settings, ignores: Sequence[Ignore], outcome: Outcome) -> set[Ignore]:
    """Enter what is found in one source; returns the ignores of the variable that were of use."""
    document: Document | None = None
    config: Mapping[str, Any] = {}
    if isinstance(source.content, (str, bytes)):
        document = Document(source.content)
        findings, config = lint_document(document, settings.nodes)
    else:
        findings = lint(source.content, settings.nodes, shipping_keys=True)
    heeded = heed(findings, document, source.name, ignores)
    shown = heeded.findings if document is None else with_excerpts(heeded.findings, document, config)
    found = [{**_levelled(finding, settings.levels), "file": source.name} for finding in shown]
    outcome.findings += sorted(found, key=lambda finding: (finding.get("line", 0), finding.get("column", 0)))
    for finding, ignore in heeded.ignored:
        by = {"file": source.name, "reason": ignore.reason, "ignored_by": "comment" if ignore.line else ignore.source}
        outcome.ignored.append({**_levelled(finding, settings.levels), **by})
    return set(ignores) - set(heeded.unused)


def _levelled(finding: Mapping[str, Any], levels: Mapping[str, str]) -> dict[str, Any]:
    return {**finding, "level": levels.get(finding["code"], finding["level"])}


def _check(levels: Mapping[str, str]) -> None:
    for code, level in levels.items():
        if code not in CATALOGUE:
            raise LevelsProblem(f"{code}: there is no such rule")
        if level not in (ERROR, WARNING):
            raise LevelsProblem(f"{code}: its level is {ERROR} or {WARNING}, not {level}")
