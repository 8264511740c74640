# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every text of the project that a user reads: guides, documentation, names of tasks, messages."""

from __future__ import annotations

import ast
import functools
import re
from typing import TYPE_CHECKING, Any, Iterator, NamedTuple

import yaml

from tests.docs.pages import CHECKOUT
from tests.docs.pages import PAGES as GENERATED

if TYPE_CHECKING:
    from pathlib import Path

_DOCUMENTATION = {"DOCUMENTATION", "RETURN", "EXAMPLES"}
_WORD = re.compile(r"[A-Za-z]{2,}")
#: What the page says between these is the word list itself, which quotes what not to write.
_WORD_LIST = re.compile(r"^## Words\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


class Text(NamedTuple):
    """A text with the place where it is."""

    place: str
    text: str


@functools.lru_cache(maxsize=None)
def texts() -> tuple[Text, ...]:
    """All of them, each on one line."""
    return tuple(
        Text("%s:%d" % (path.relative_to(CHECKOUT), line), " ".join(text.split()))
        for found in (_pages(), _fragments(), _specs(), _tasks(), _plugins())
        for path, line, text in found
    )


def _pages() -> Iterator[tuple[Path, int, str]]:
    pages = [CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    for pattern in ("docs/**/*.md", "roles/*/README.md", "examples/*/README.md"):
        pages += sorted(CHECKOUT.glob(pattern))
    for page in pages:
        generated = str(page.relative_to(CHECKOUT)) in GENERATED
        if generated and page.name != "troubleshooting.md" and page.parent.name != "registries":
            continue  # made from texts that are looked at where they come from
        text = page.read_text(encoding="utf-8")
        text = _WORD_LIST.sub(lambda match: "\n" * match.group().count("\n"), text)
        yield from _paragraphs(page, text, 1)


def _paragraphs(path: Path, text: str, first: int) -> Iterator[tuple[Path, int, str]]:
    """Sentences run over line breaks, so a paragraph is one text. A row of a table or a point of a list is one too."""
    number = first
    lines: list[str] = []
    for index, line in enumerate([*text.splitlines(), ""], first):
        begins = not line.strip() or re.match(r"\s*(?:[|#>*-]|\d+\.|- )", line)
        if begins and lines:
            yield path, number, " ".join(lines)
            lines = []
        if line.strip():
            number = number if lines else index
            lines.append(line)


def _fragments() -> Iterator[tuple[Path, int, str]]:
    for path in sorted(CHECKOUT.glob("changelogs/fragments/*.yml")):
        for entries in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).values():
            for entry in entries:
                yield path, 1, entry


def _specs() -> Iterator[tuple[Path, int, str]]:
    for path in sorted(CHECKOUT.glob("roles/*/meta/*.yml")):
        for line, text in _described(path.read_text(encoding="utf-8")):
            yield path, line, text


def _described(text: str) -> Iterator[tuple[int, str]]:
    """The scalars of a YAML text that say something to a person, with their lines."""
    for scalar in _scalars(yaml.compose(text)):
        if len(_WORD.findall(scalar.value)) > 1:
            yield scalar.start_mark.line + 1, scalar.value


def _scalars(node: Any) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    elif isinstance(node, yaml.MappingNode):
        for _key, value in node.value:
            yield from _scalars(value)


def _tasks() -> Iterator[tuple[Path, int, str]]:
    """The names and messages of tasks, which are every scalar of words that is no expression."""
    for pattern in ("roles/*/tasks/*.yml", "roles/*/handlers/*.yml", "playbooks/*.yml", "playbooks/parts/*.yml"):
        for path in sorted(CHECKOUT.glob(pattern)):
            for line, text in _described(path.read_text(encoding="utf-8")):
                yield path, line, text


def _plugins() -> Iterator[tuple[Path, int, str]]:
    for path in sorted(CHECKOUT.glob("plugins/**/*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = {id(node.value): node for node in ast.walk(tree) if _is_documentation(node)}
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docstrings:
                continue
            if id(node) in documented:
                for line, text in _described(node.value):
                    yield path, node.lineno + line - 1, text
            elif len(_WORD.findall(node.value)) > 2:
                yield path, node.lineno, node.value


def _is_documentation(node: ast.AST) -> bool:
    if not isinstance(node, ast.Assign):
        return False
    return any(isinstance(target, ast.Name) and target.id in _DOCUMENTATION for target in node.targets)
