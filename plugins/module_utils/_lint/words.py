# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How findings name things: paths into the configuration, quoted values, suggestions; never a secret."""

from __future__ import annotations

import difflib
import json
import re
from typing import Iterable, Sequence

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
# Everything up to the last `@`, whatever a password holds: `https://user:pa/ss@host`.
_USERINFO = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*:/+|//)?.*@", re.DOTALL)
_LONGEST = 120


def redacted(text: str) -> str:
    """A URL or host with its user information (`https://user:password@host`) replaced by `***`."""
    return _USERINFO.sub(lambda match: f"{match.group(1) or ''}***@", text, count=1)


def quoted(text: object) -> str:
    """A value from the configuration as messages show it: quoted, on one line, shortened, without user information."""
    shown = redacted(str(text))
    if len(shown) > _LONGEST:
        shown = shown[: _LONGEST - 1] + "…"
    return json.dumps(_printable(shown), ensure_ascii=False)


def path(*parts: str | int) -> str:
    """A place in the configuration, such as `configs."registry.example.com:5000".tls.ca_file` or `endpoint[0]`.

    Strings are keys (quoted where they are not plain words), integers are places in a list.
    """
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _PLAIN_KEY.match(part) else quoted(part))
    return text


def meant(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be, or None."""
    candidates = list(known)
    folded = {re.sub(r"[^a-z0-9]", "", candidate.lower()): candidate for candidate in candidates}
    plain = re.sub(r"[^a-z0-9]", "", word.lower())
    if plain in folded:
        return folded[plain]
    close = difflib.get_close_matches(plain, list(folded), n=1, cutoff=0.75)
    return folded[close[0]] if close else None


def listed(words: Sequence[str], last: str = "or") -> str:
    """The words as a sentence lists them: `a, b or c`."""
    items: list[str] = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def _printable(text: str) -> str:
    """Without lone surrogates, which no output encoding takes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
