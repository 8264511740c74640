# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that are recognised by what comes before them: ``password=``, ``"auth": "``, ``Authorization: ``.

A name is looked for, and what follows it is walked through once; nothing is tried from every place of a word, so that
a line takes time in proportion to its length whatever a registry has put into it.
"""

from __future__ import annotations

import re
from typing import Match

from .forms import LONGEST
from .urls import MASK

_SURE = r"passw(?:or)?d|passphrase|pwd|secret|api[_-]?key|access[_-]?key|account[_-]?key|shared[_-]?key|key[_-]content"
_NAME = re.compile(
    r"(?i)(?P<sure>" + _SURE + r")|(?P<token>token|credential)|(?P<docker>docker(?:configjson|cfg))"
    r"|(?P<auth>(?<![A-Za-z0-9_-])auth(?![A-Za-z0-9_-]))"
)
# How a name goes on until its value: the rest of the word, its quote, the sign, the value's quote.
_REST = re.compile(
    r"(?P<suffix>[\w-]{0,40})(?P<closed>\\{0,8}[\"'`]?)(?P<before>[ \t]{0,8})(?P<sign>=>|[:=])(?P<after>[ \t]{0,8})"
    r"(?P<opening>\\{0,8}[\"'`])?"
)
_INDENTATION = re.compile(r"[ \t+-]{0,%d}[\"']?" % LONGEST)
_WORD_BEFORE = re.compile(r"\w{0,20}[_-]?\Z")
# A comma or bracket ends a value only if something else begins behind it.
_BARE = re.compile(r"(?:[^\s\"'`,;&)}\]|]|[,;&)}\]|](?![\s,;&)}\]|]|\Z|[\w.-]{1,40}\\{0,4}[\"']?[=:])){1,%d}" % LONGEST)
_BYTES = re.compile(r"[\[{][^\]}]{0,%d}" % LONGEST)
_KINDS = ("none", "basic", "bearer")

# "authorization: " alone is prose of containerd's ("may require authorization: ..."), so it needs a field's form.
_HEADER = re.compile(
    r"((?i:(?:proxy-)?authorization)(?:\s{0,8}=\s{0,8}|\\{0,8}\"\s{0,8}:\s{0,8})|(?:Proxy-)?Authorization:\s{1,8}"
    r"|(?i:(?:(?:set-)?cookie2?|x-[\w-]{0,40}(?:token|key|secret|signature)[\w-]{0,40}|private-token|job-token)"
    r"\\{0,8}\"?\s{0,8}[=:]\s{0,8}))((?:\\{0,8}[\"\[]){0,4})[^\"\\\n]{1,%d}" % LONGEST
)
_SCHEME = re.compile(
    r"(?i)(?<![A-Za-z0-9])(bearer|basic|negotiate|digest|token)([ \t]{1,8})([A-Za-z0-9._~+/=-]{8,%d})" % LONGEST
)
_WORDLIKE = re.compile(r"[A-Za-z]{0,24}\.?\Z")


def without_placed(line: str) -> str:
    """A line of text, credentials behind the names of headers and fields masked."""
    line = _HEADER.sub(lambda match: match.group(1) + match.group(2) + MASK, line)
    line = _SCHEME.sub(_masked_scheme, line)
    return _without_fields(line)


def _masked_scheme(match: Match[str]) -> str:
    # A word that only ends a sentence ("Basic authentication.") is no credential.
    return match.group(1) + match.group(2) + MASK if _looks_secret(match.group(3)) else match.group(0)


def _looks_secret(word: str) -> bool:
    return len(word) >= 8 and not _WORDLIKE.match(word)


def _without_fields(line: str) -> str:
    name = _NAME.search(line)
    if name is None:
        return line
    indentation = _INDENTATION.match(line)
    first = indentation.end() if indentation is not None else 0
    parts: list[str] = []
    done = 0
    while name is not None:
        rest = _REST.match(line, name.end())
        end = _value_end(line, name, rest, first) if rest is not None else -1
        if rest is not None and end > rest.end():
            parts += [line[done : rest.end()], MASK]
            done = end
        name = _NAME.search(line, max(end, name.end()))
    return "".join([*parts, line[done:]])


def _value_end(line: str, name: Match[str], rest: Match[str], first: int) -> int:
    """Where the value that begins at the end of ``rest`` ends, -1 if it is no credential.

    :param first: where the first word of the line begins.
    """
    start, opening = rest.end(), rest.group("opening")
    field = bool(rest.group("closed")) or rest.group("sign") != ":"
    if line.startswith(MASK, start) or not (field or rest.group("suffix") in ("", "s")):
        return -1
    if name.group("docker") and line[start : start + 1] in ("[", "{"):
        # Go prints bytes as numbers in brackets.
        found = _BYTES.match(line, start)
        return found.end() if found else -1
    if opening:
        end = _closing(line, start, opening)
        return -1 if name.group("auth") and line[start:end] in _KINDS else end
    sure = name.group("sure") is not None
    # "Password:value" of a Go structure. Image names have no capital letters: "team/auth:1.2" is one.
    structure = name.group(0)[0].isupper() or (sure and not name.group(0).lower().startswith("secret"))
    apart = bool(rest.group("after"))
    if line[start : start + 1] in ("{", "[", "&", "|", ">", "") or not (field or apart or structure):
        return -1
    found = _BARE.match(line, start)
    if found is None or (name.group("auth") and found.group(0) in _KINDS) or found.group(0).startswith("//"):
        return -1
    at_start = len(line[first : name.start()]) <= 21 and _WORD_BEFORE.match(line, first, name.start()) is not None
    # A field or a sentence: "password: value" is one, "failed to fetch anonymous token: unexpected status" is none.
    # The path of a setting before what is wrong with it: "auth.password: there is no username".
    path = line[name.start() - 1 : name.start()] == "."
    meant = field or not apart or (sure and not path) or (at_start and bool(name.group("auth")))
    if not meant and not _looks_secret(found.group(0)):
        return -1
    # In YAML and TOML a value goes on to the end of its line.
    return len(line) if at_start and apart else found.end()


def _closing(line: str, start: int, opening: str) -> int:
    """The end of a quoted value: the next quote that is not escaped more deeply than the first one."""
    quote, level = opening[-1], len(opening) - 1
    place = line.find(quote, start)
    while place >= 0:
        first = place
        while first > start and line[first - 1] == "\\":
            first -= 1
        if place - first <= level:
            return first
        place = line.find(quote, place + 1)
    return len(line)
