# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lint for the text of a registries.yaml: the same rules as for a dict, and those about the text itself."""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import text as rules
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint import examine
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import UNKNOWN, NodeFacts
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.shape import (
    NOT_A_BOOLEAN,
    PLACEHOLDER,
    WRONG_TYPE,
    Reader,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.decode import decode_tree
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import DecodeError

from .document import Document
from .places import Places
from .tree import Duplicate, Tree

# The rules that name what the decoder refuses better than the decoder does.
_NAMED = (WRONG_TYPE.code, NOT_A_BOOLEAN.code, PLACEHOLDER.code)


def lint_text(source: str | bytes, nodes: NodeFacts = UNKNOWN) -> list[dict[str, Any]]:
    """The findings for a registries.yaml, with `line` and `column` where the text has a place for them.

    source: text, or the file's bytes. Bytes that are no YAML become a finding like anything else; nothing raises.
    Whatever K3s' decoder refuses, strict or not, is an error here.
    """
    return lint_document(Document(source), nodes).findings


class Linted(NamedTuple):
    """`findings`, errors first, and `config`: what K3s makes of the document, as far as it can be read."""

    findings: list[dict[str, Any]]
    config: Mapping[str, Any]


def lint_document(document: Document, nodes: NodeFacts = UNKNOWN) -> Linted:
    """The same for a document that is read already."""
    found: list[dict[str, Any]] = []
    config: Mapping[str, Any] | None = None
    problem = document.problem
    if problem is None:
        try:
            config = decode_tree(document.root)
        except DecodeError as error:
            problem = error
    reader = Reader(shipping_keys=False)
    try:
        tree = None if document.problem is not None else Tree(document.root)
    except (DecodeError, RecursionError):
        tree = None
    if tree is not None:
        reader.read(tree.value)
        found += [_twice(duplicate) for duplicate in tree.duplicates]
        found += reader.findings
    if problem is not None and not any(finding["code"] in _NAMED for finding in found):
        found.append(_unreadable(problem, document))
    elif problem is None and not found:
        found += _dropped(document)
    second = 0 if problem is not None else document.second_document()
    if second:
        found.append(_at(rules.SECOND_DOCUMENT.finding("", "what follows the second --- is not read"), second, 1))
    read = config if config is not None else reader.config
    findings = examine(found, read, {}, nodes)
    places = Places(document.root)
    for finding in findings:
        place = None if "line" in finding else places.of(finding["path"])
        if place is not None:
            finding["line"], finding["column"] = place
    return Linted(findings, read)


def _at(finding: dict[str, str], line: int | None, column: int | None) -> dict[str, Any]:
    return {**finding, "line": line, "column": column or 1} if line else finding


def _twice(duplicate: Duplicate) -> dict[str, Any]:
    message = f"the key is there twice; this one wins, the one in line {duplicate.first_line} is dropped"
    return _at(rules.DUPLICATE_KEY.finding(duplicate.path, message), duplicate.line, duplicate.column)


def _dropped(document: Document) -> list[dict[str, Any]]:
    """The net below the rules: what a strict decoder refuses and no rule has named."""
    try:
        decode_tree(document.root, strict=True)
    except DecodeError as error:
        where = f"line {error.line}: " if error.line else ""
        return [_at(rules.STRICT.finding("", f"{where}K3s drops what stands there"), error.line, error.column)]
    return []


def _unreadable(problem: DecodeError, document: Document) -> dict[str, Any]:
    """The finding for a text that K3s refuses. Its words are K3s' own, which hold no values."""
    lines = document.lines
    line = document.line(problem.line)
    fix = ""
    if line.lstrip(" ").startswith("\t") or "\t" in line[: len(line) - len(line.lstrip())]:
        fix = "Indent with spaces; YAML allows no tab there."
    elif "{{" in line:
        fix = "Render the template first; a template expression belongs in quotes."
    elif re.match(r"\s*\*\s*:", line):
        fix = 'Put the asterisk in quotes: "*":'
    elif re.match(r"\s*\[", line):
        fix = 'Put the IPv6 address in quotes: "[fd00::1]:5000":'
    elif re.search(r":\s+[@%`*&!|>]", line):
        fix = "Put the value in quotes: it begins with a character that means something in YAML."
    elif _is_bare_word(line):
        fix = "Is the colon after the key missing?"
    elif "mapping values are not allowed" in problem.message and _line_before(lines, problem.line):
        # The parser takes the key without a colon for text, and stumbles over the colon of the line below.
        fix = f"Is the colon at the end of line {_line_before(lines, problem.line)} missing?"
    elif "\\" in line and '"' in line:
        fix = "Use single quotes: in double quotes a backslash begins an escape."
    finding = rules.UNREADABLE.finding("", f"K3s refuses the file: {problem.message}", fix)
    return _at(finding, problem.line, problem.column)


def _is_bare_word(line: str) -> bool:
    return bool(re.match(r"\s*[^\s:#'\"]+\s*(?:#.*)?$", line))


def _line_before(lines: Sequence[str], number: int | None) -> int:
    """The number of the next line above `number` that is not empty, if it is a single word without a colon; else 0."""
    for above in range((number or 1) - 1, 0, -1):
        if lines[above - 1].strip():
            return above if _is_bare_word(lines[above - 1]) else 0
    return 0
