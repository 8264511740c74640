# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line of a finding, shown with a caret as compilers do, and without a secret.

What may be shown is decided by where it stands, not by what it looks like: names of registries, endpoints, rewrites,
paths of certificates and the keys that K3s knows. Whatever else there is, credentials first of all, but also comments,
anchors, tags and what stands where K3s reads nothing, is masked or left out.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import schema
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.naming import auth_key, redacted
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.known import known_secrets, without_known
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import MASK
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.visible import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._yaml.nodes import MAPPING, SCALAR, SEQUENCE, Node

from .document import Document

_WIDEST = 110
_BEFORE = 60
_KEYS: dict[tuple[str, ...], tuple[str, ...]] = {
    (): schema.TOP,
    ("mirrors", "*"): schema.MIRROR,
    ("configs", "*"): schema.HOST,
    ("configs", "*", "auth"): schema.AUTH,
    ("configs", "*", "tls"): schema.TLS,
}
_SHOWN_TLS = (*schema.TLS_FILES, schema.INSECURE)
_WORDS = {*schema.TOP, *schema.MIRROR, *schema.HOST, *schema.AUTH, *schema.TLS, *schema.SYNONYMS, "auths", "token"}
_KNOWN_START = re.compile(r"(\s*(?:- +)*)(\*|'\*'|\"\*\"|[A-Za-z_]+)(\s*:)(?=\s|\Z)(.*)", re.DOTALL)
# What holds YAML together; everything else between two scalars is the name of an anchor, an alias or a tag.
_NO_STRUCTURE = re.compile(r"[^\s{}\[\],:?*&!|>-]+")
_COMMENT = re.compile(r"(?:^|(?<=\s))#")


class Excerpt(NamedTuple):
    """A line fit to be shown, and the same width of blanks with a caret below the place."""

    line: str
    marker: str


def with_excerpts(
    findings: Iterable[Mapping[str, Any]], document: Document, config: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Findings on a document, those that have a place with an `excerpt`: the line and its marker."""
    excerpts = Excerpts(document, config)
    shown = []
    for finding in findings:
        excerpt = excerpts.of(finding["line"], finding["column"]) if "line" in finding else None
        shown.append({**finding, "excerpt": list(excerpt)} if excerpt is not None else dict(finding))
    return shown


class _Scalar(NamedTuple):
    """The part of a scalar in one line: from `start` to `end`, counted from 0; `shown` None: as it is written."""

    start: int
    end: int
    shown: str | None


class Excerpts:
    """The lines of one document; `config` is what K3s makes of it, for its credentials."""

    def __init__(self, document: Document, config: Mapping[str, Any]) -> None:
        self._document = document
        self._config = config
        self._secrets: list[str] | None = None
        self._scalars: dict[int, list[_Scalar]] | None = None

    def of(self, line: int, column: int) -> Excerpt | None:
        """The line with a caret at the column; None if nothing of it may be shown."""
        text = self._document.line(line)
        if not text.strip():
            return None
        pieces = self._pieces(line, text)
        rendered, start, width = _placed(pieces, column - 1)
        if self._secrets is None:
            self._secrets = known_secrets(self._config)
        masked = without_known(rendered, self._secrets)
        if masked != rendered:
            start, width = _width(without_known(rendered[:start], self._secrets)), 1
        if not masked.replace(MASK, "").strip():
            return None
        return _cropped(masked.rstrip(), start, width)

    def _pieces(self, line: int, text: str) -> list[tuple[int, int, str]]:
        """The line in order: from where to where in the text, and how that is shown."""
        if self._document.root is None:
            return _of_unreadable(text)
        if self._scalars is None:
            self._scalars = {}
            for node, shown in _scalars(self._document.root):
                self._enter(self._scalars, node, shown)
        pieces = []
        done = 0
        for scalar in sorted(self._scalars.get(line, ())):
            if scalar.start < done:
                continue
            pieces += _between(text, done, scalar.start)
            shown = visible(text[scalar.start : scalar.end]) if scalar.shown is None else scalar.shown
            pieces.append((scalar.start, scalar.end, shown))
            done = scalar.end
        return [*pieces, *_between(text, done, len(text))]

    def _enter(self, scalars: dict[int, list[_Scalar]], node: Node, shown: str | None) -> None:
        (last, end), first = node.end, node.line
        for number in range(first, last + 1):
            length = len(self._document.line(number))
            start = node.column - 1 if number == first else 0
            stop = min(end - 1, length) if number == last else length
            if start >= stop:
                continue
            text = self._document.line(number)[start:stop]
            kept = shown if first == last else MASK
            if kept == node.value and text[0] not in "&!":
                kept = None
            elif kept is not None:
                kept = visible(kept)
            scalars.setdefault(number, []).append(_Scalar(start, stop, kept))


def _scalars(root: Node) -> Iterable[tuple[Node, str]]:
    """Every scalar that is written in the document, each once, with what may be shown of it."""
    waiting: list[tuple[Node, tuple[str, ...] | None]] = [(root, ())]
    while waiting:
        node, where = waiting.pop()
        if node.kind == SCALAR:
            yield node, _value(node, where)
        elif node.kind == SEQUENCE:
            inside = (*where, "[]") if where == ("mirrors", "*", "endpoint") else None
            waiting += [(child, inside) for child in node.children]
        elif node.kind == MAPPING:
            children = iter(node.children)
            for key, value in zip(children, children):
                if key.kind != SCALAR:
                    waiting += [(key, None), (value, None)]
                    continue
                yield key, _key(key, where, value.kind != SCALAR or bool(value.value))
                if key.value == "<<":
                    waiting.append((value, where))
                else:
                    waiting.append((value, _below(where, key.value)))


def _below(where: tuple[str, ...] | None, key: str) -> tuple[str, ...] | None:
    """Where the value of a key stands, names and patterns as an asterisk; None where K3s reads nothing."""
    if where in {("mirrors",), ("configs",), ("mirrors", "*", "rewrite")}:
        return (*where, "*")  # type: ignore[misc]
    if where is None or key not in _KEYS.get(where, ()):
        return None
    return (*where, key)


def _key(node: Node, where: tuple[str, ...] | None, with_value: bool) -> str:
    if node.value == "<<":
        return node.value
    if where in {("mirrors",), ("configs",), ("mirrors", "*", "rewrite")}:
        return redacted(node.value)
    if where is None or where not in _KEYS:
        return MASK
    return node.value if node.value in _KEYS[where] else auth_key(node.value, _KEYS[where], with_value)


def _value(node: Node, where: tuple[str, ...] | None) -> str:
    if where in {("mirrors", "*", "endpoint"), ("mirrors", "*", "endpoint", "[]"), ("mirrors", "*", "rewrite", "*")}:
        return redacted(node.value)
    if where is not None and where[2:3] == ("tls",) and where[-1] in _SHOWN_TLS:
        return redacted(node.value)
    return MASK


def _between(text: str, start: int, end: int) -> list[tuple[int, int, str]]:
    gap = text[start:end]
    comment = _COMMENT.search(gap)
    if comment is not None:
        gap = gap[: comment.start()]
    pieces = []
    done = 0
    for match in _NO_STRUCTURE.finditer(gap):
        pieces.append((start + done, start + match.start(), gap[done : match.start()]))
        pieces.append((start + match.start(), start + match.end(), MASK))
        done = match.end()
    pieces.append((start + done, start + len(gap), gap[done:]))
    return [(first, last, visible(part)) for first, last, part in pieces if part]


def _of_unreadable(text: str) -> list[tuple[int, int, str]]:
    """Without a tree nobody knows what is a value: shown is only a key that K3s knows at the line's beginning."""
    match = _KNOWN_START.match(text)
    if match is None or not (match.group(2) in _WORDS or "*" in match.group(2)):
        indent = len(text) - len(text.lstrip())
        return [(0, indent, visible(text[:indent])), (indent, len(text), MASK)]
    rest = match.start(4)
    pieces = [(0, rest, visible(text[:rest]))]
    if match.group(4).strip():
        pieces += [(rest, rest + 1, " "), (rest + 1, len(text), MASK)]
    return pieces


def _placed(pieces: Iterable[tuple[int, int, str]], column: int) -> tuple[str, int, int]:
    """The line, and from where on how much of it is meant, in columns of a terminal."""
    line = ""
    start, width = -1, 1
    for first, last, shown in pieces:
        if first <= column < last and start < 0:
            start = len(line)
            if column == first:
                width = max(_width(shown), 1)
            elif last - first == len(shown):
                start += column - first
        line += shown
    if start < 0:
        start = len(line)
    return line, start, width


def _cropped(line: str, start: int, width: int) -> Excerpt:
    before = line[:start]
    if len(line) > _WIDEST:
        first = max(0, min(start - _BEFORE, len(line) - _WIDEST))
        before = ("…" if first else "") + line[first:start]
        line = ("…" if first else "") + line[first : first + _WIDEST] + ("…" if first + _WIDEST < len(line) else "")
    columns = _width(before)
    return Excerpt(line, " " * columns + "^" + "~" * (min(width, max(_width(line) - columns, 1)) - 1))


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        2 if unicodedata.east_asian_width(sign) in "WF" else 0 if unicodedata.combining(sign) else 1 for sign in text
    )
