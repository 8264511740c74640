# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rewrites of the repository, by the rules of Go's ``regexp`` (RE2).

containerd (K3s' fork, ``withRewritesFromHost`` in ``core/remotes/docker/resolver.go``) goes through
the rewrites of an endpoint in no defined order and takes the first that changes the repository.
Patterns are not anchored, every match is replaced, and the tag is never looked at.

The patterns run in RE2 itself if the caller passes google-re2 as ``engine``. Without it they run
in Python's ``re``, but only those that mean the same in both; others are refused with
``certain=False``: K3s may well take them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class PatternError(ValueError):
    """A pattern cannot be used.

    :ivar certain: true if Go refuses it too (K3s logs a warning and skips it); false if only
        the check without google-re2 cannot tell.
    """

    def __init__(self, reason: str, certain: bool = True) -> None:
        super().__init__(reason)
        self.certain = certain


class Rewritten(NamedTuple):
    """What the rewrites of an endpoint make of a repository.

    :ivar repository: the repository that is asked for.
    :ivar alternatives: all results, if several patterns change the repository and K3s may take
        any of them (sorted, at least two different ones); otherwise empty.
    :ivar skipped: pattern to reason for those that were not applied.
    """

    repository: str
    alternatives: tuple[str, ...]
    skipped: dict[str, str]


def rewrite(repository: str, rewrites: Mapping[str, str], engine: Any = None) -> Rewritten:
    """Applies the rewrites of one endpoint.

    :param repository: the name without registry and tag, such as ``library/nginx``.
    :param rewrites: pattern to replacement.
    :param engine: the module ``re2`` of google-re2, None for the conservative check.
    """
    results: list[str] = []
    skipped: dict[str, str] = {}
    for pattern, replacement in rewrites.items():
        try:
            compiled = compile_pattern(pattern, engine)
        except PatternError as error:
            skipped[pattern] = str(error)
            continue
        result = compiled.replace_all(repository, replacement)
        if result != repository and result not in results:
            results.append(result)
    return Rewritten(results[0] if results else repository, tuple(sorted(results)) if len(results) > 1 else (), skipped)


def compile_pattern(pattern: str, engine: Any = None) -> Pattern:
    """A pattern as Go compiles it.

    :param engine: the module ``re2`` of google-re2, None for the conservative check.
    :raises PatternError: if it cannot be used; see its ``certain``.
    """
    if _ONE_BYTE.search(pattern):
        raise PatternError(r"is no regular expression that Go accepts: \C is not supported")
    if engine is not None:
        options = engine.Options()
        options.log_errors = False
        try:
            return Pattern(engine.compile(pattern, options))
        except engine.error as error:
            reason = error.args[0] if error.args else ""
            if isinstance(reason, bytes):
                reason = reason.decode("utf-8", "replace")
            raise PatternError(f"is no regular expression that Go accepts: {reason}") from None
    translated = _translated(pattern)
    try:
        return Pattern(re.compile(translated, re.ASCII))
    except re.error as error:
        certain = error.msg.startswith(_REFUSED_BY_BOTH)
        raise PatternError(f"is no regular expression: {error.msg}", certain) from None
    except (OverflowError, RecursionError):
        raise PatternError("cannot be checked without google-re2: it is too large", certain=False) from None


class Pattern:
    """A compiled pattern."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    @property
    def groups(self) -> int:
        """How many groups it has, without the whole match."""
        return int(self._compiled.groups)

    @property
    def group_names(self) -> frozenset[str]:
        """The names of its named groups."""
        return frozenset(self._compiled.groupindex)

    def matches(self, text: str) -> bool:
        """Whether it matches anywhere in ``text``."""
        return self._compiled.search(text) is not None

    def replace_all(self, text: str, replacement: str) -> str:
        """Go's ``ReplaceAllString``: an empty match right after another match is not replaced."""
        template = parse_template(replacement)
        out: list[str] = []
        last_end = position = 0
        while position <= len(text):
            match = self._compiled.search(text, position)
            if match is None:
                break
            start, end = match.span()
            out.append(text[last_end:start])
            if end > last_end or start == 0:
                out += [self._expanded(part, match) for part in template]
            last_end = end
            position = end if end > position else position + 1
        out.append(text[last_end:])
        return "".join(out)

    def _expanded(self, part: str | Reference, match: Any) -> str:
        if isinstance(part, str):
            return part
        key: int | str = part.name
        if part.number is not None:
            key = part.number
            if key > self.groups:
                return ""
        elif key not in self._compiled.groupindex:
            return ""
        return match.group(key) or ""


class Reference(NamedTuple):
    """``$name`` or ``${name}`` in a replacement; ``number`` if the name is one (``$1x`` is not)."""

    name: str
    number: int | None


_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|(?P<plain>\w+)|\{(?P<braced>\w+)\})")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


def parse_template(replacement: str) -> list[str | Reference]:
    """The parts of a replacement as Go's ``Regexp.Expand`` reads it.

    ``$1x`` is the group named ``1x``, ``$$`` a dollar sign, and a dollar sign that starts nothing
    stands for itself. A group that does not exist is empty.
    """
    parts: list[str | Reference] = []
    position = 0
    for match in _REFERENCE.finditer(replacement):
        if match.start() > position:
            parts.append(replacement[position : match.start()])
        position = match.end()
        if match.group("dollar"):
            parts.append("$")
            continue
        name = match.group("plain") or match.group("braced")
        parts.append(Reference(name, int(name) if _NUMBER.fullmatch(name) else None))
    if position < len(replacement):
        parts.append(replacement[position:])
    return parts


_ONE_BYTE = re.compile(r"(?<!\\)(?:\\\\)*\\C")  # C++ knows it, Go does not
_REFUSED_BY_BOTH = (
    "missing )",
    "unbalanced parenthesis",
    "unterminated character set",
    "bad character range",
    "bad escape (end of pattern)",
)

# What the check without google-re2 goes through, piece by piece. The first alternative is what Go
# refuses for certain, the second what only RE2 itself can judge, the third what needs translating.
_PIECE = re.compile(
    r"(?P<lookaround>\(\?(?:=|!|<=|<!))"
    r"|(?P<not_in_go>\(\?(?:>|\#|\(|P=|P>|&|R|[0-9])|\\[89Z]|\\[1-7](?![0-7])|\\[GXRKkNghuU])"
    r"|(?P<possessive>[*+?}]\+)"
    r"|(?P<unsure>\\[pPQEx0-7]|\[\[:|\(\?[a-zA-Z-]*U|(?!\A)\(\?[a-zA-Z]+\)|\{,|\{[0-9]+,?[0-9]*\}(?=[*?+{])|[*+?]\{)"
    r"|(?P<end>\\z)"
    r"|(?P<escape>\\.)"
    r"|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])"
    r"|(?P<name>\(\?<(?=[A-Za-z_]))"
    r"|(?P<dollar>\$)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_REPEAT = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")


# RE2 and re do not agree on what a group holds that is repeated and whose last repetition was empty.
_QUANTIFIERS = ("*", "+", "?", "{")


def _can_be_empty(group: str) -> bool:
    try:
        return re.fullmatch(group, "", re.ASCII) is not None
    except (re.error, OverflowError, RecursionError):
        return False


def _translated(pattern: str) -> str:
    """The pattern for Python's ``re``, if it is sure to mean there what it means in Go."""
    out: list[str] = []
    opened: list[int] = []
    for match in _PIECE.finditer(pattern):
        kind, text = match.lastgroup, match.group()
        if kind in {"lookaround", "not_in_go", "possessive"}:
            raise PatternError(f"is no regular expression that Go accepts: {text} is not supported")
        if kind == "unsure" or (kind == "set" and re.search(r"\[:|\\[pPQEx0-7]|&&|--|\|\||~~", text)):
            raise PatternError(f"cannot be checked without google-re2 because of {text}", certain=False)
        if text.startswith("(") and kind != "escape":
            opened.append(len(out))
        elif text == ")" and opened:
            start = opened.pop()
            if pattern[match.end() : match.end() + 1] in _QUANTIFIERS and _can_be_empty("".join([*out[start:], ")"])):
                raise PatternError("cannot be checked without google-re2: a repeated group can be empty", certain=False)
        out.append({"end": r"\Z", "name": "(?P<", "dollar": r"\Z"}.get(kind or "", text))
    if any(int(bound) > 1000 for repeat in _REPEAT.findall(pattern) for bound in repeat if bound):
        raise PatternError("is no regular expression that Go accepts: a repetition of more than 1000")
    if re.search(r"\(\?[a-z]*m", pattern) and "$" in pattern:
        raise PatternError("cannot be checked without google-re2 because of the flag m", certain=False)
    return "".join(out)
