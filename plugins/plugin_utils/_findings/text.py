# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lint for the text of a registries.yaml: the same rules as for a dict, and those about the text itself."""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import text as rules
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint import examine
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.shape import (
    NOT_A_BOOLEAN,
    PLACEHOLDER,
    WRONG_TYPE,
    Reader,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.tree import Tree
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.decode import decode
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.errors import DecodeError

# The rules that name what the decoder refuses better than the decoder does.
_NAMED = (WRONG_TYPE.code, NOT_A_BOOLEAN.code, PLACEHOLDER.code)
_DOCUMENT_START = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
_CONTENT = re.compile(r"^(?![ \t]*(?:#|$)|\.\.\.|%)", re.MULTILINE)


def lint_text(
    source: str | bytes,
    k3s_version: str = "",
    default_endpoint: bool = True,
    embedded_mirror: str = "",
    images: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    config_template: str = "",
) -> list[dict[str, str]]:
    """The findings for a registries.yaml; see `lint` for the arguments.

    source: text, or the file's bytes. Bytes that are no YAML become a finding like anything else; nothing raises.
    Whatever K3s' decoder refuses, strict or not, is an error here.
    """
    found: list[dict[str, str]] = []
    config: Mapping[str, Any] | None = None
    problem: DecodeError | None = None
    try:
        config = decode(source)
    except DecodeError as error:
        problem = error
    reader = Reader(shipping_keys=False)
    try:
        tree = Tree(source)
    except (DecodeError, RecursionError):
        tree = None
    if tree is not None:
        reader.read(tree.value)
        found += [
            rules.DUPLICATE_KEY.finding(path, f"line {line}: the key stands there twice; the later one wins")
            for path, line in tree.duplicates
        ]
        found += reader.findings
    if problem is not None and not any(finding["code"] in _NAMED for finding in found):
        found.append(_unreadable(problem, source))
    elif problem is None and not found:
        found += _dropped(source)
    if problem is None and _has_second_document(source):
        found.append(rules.SECOND_DOCUMENT.finding("", "what follows the second --- is not read"))
    return examine(
        found,
        config if config is not None else reader.config,
        {},
        k3s_version,
        default_endpoint,
        embedded_mirror,
        images,
        environment,
        config_template,
    )


def _dropped(source: str | bytes) -> list[dict[str, str]]:
    """The net below the rules: what a strict decoder refuses and no rule has named."""
    try:
        decode(source, strict=True)
    except DecodeError as error:
        where = f"line {error.line}: " if error.line else ""
        return [rules.STRICT.finding("", f"{where}K3s drops what stands there")]
    return []


def _unreadable(problem: DecodeError, source: str | bytes) -> dict[str, str]:
    """The finding for a text that K3s refuses. Its words are K3s' own, which hold no values."""
    text = source.decode("utf-8", "replace") if isinstance(source, bytes) else source
    lines = text.splitlines()
    line = lines[problem.line - 1] if problem.line and problem.line <= len(lines) else ""
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
    return rules.UNREADABLE.finding("", f"K3s refuses the file: {problem.message}", fix)


def _is_bare_word(line: str) -> bool:
    return bool(re.match(r"\s*[^\s:#'\"]+\s*(?:#.*)?$", line))


def _line_before(lines: Sequence[str], number: int | None) -> int:
    """The number of the next line above `number` that is not empty, if it is a single word without a colon; else 0."""
    for above in range((number or 1) - 1, 0, -1):
        if lines[above - 1].strip():
            return above if _is_bare_word(lines[above - 1]) else 0
    return 0


def _has_second_document(source: str | bytes) -> bool:
    text = source.decode("utf-8", "replace") if isinstance(source, bytes) else source
    parts = _DOCUMENT_START.split(text.lstrip("\ufeff").replace("\r\n", "\n"))
    filled = [part for part in parts if _CONTENT.search(part)]
    return len(filled) > 1
