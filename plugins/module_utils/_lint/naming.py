# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How findings name things: paths into the configuration, quoted values, suggestions; never a secret."""

from __future__ import annotations

import difflib
import json
import re
from typing import Iterable, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import (
    MASK,
    redact,
    visible,
    without_credentials,
)

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
# A word that can be shown although it stands under auth, where a misplaced colon makes a secret a key.
_HARMLESS_KEY = re.compile(r"[A-Za-z][A-Za-z_-]{0,30}\Z")
_LONGEST = 120
_LONGEST_READ = 4096


def redacted(text: str) -> str:
    """A URL, host or other value of the configuration without credentials: `https://********@host`."""
    return redact(without_credentials(text[:_LONGEST_READ]))


def auth_key(key: str, known: Sequence[str], with_value: bool) -> str:
    """A key that stands under `auth` and is not known there, as messages may show it: `password:secret` without a
    blank after the colon is a key to YAML, and so is a lone secret in braces.

    with_value: whether it has one; a key without may be a value that lacks its key.
    """
    harmless = _HARMLESS_KEY.match(key) is not None
    return key if harmless and (with_value or meant(key, known)) else MASK


def quoted(text: object) -> str:
    """A value from the configuration as messages show it: quoted, on one line, shortened, without credentials."""
    shown = redacted(str(text))
    if len(shown) > _LONGEST:
        shown = shown[: _LONGEST - 1] + "…"
    # JSON escapes the other control characters, but not those that turn the reading direction or end a line.
    return visible(json.dumps(shown, ensure_ascii=False))


def path(*parts: str | int) -> str:
    """A place in the configuration, such as `configs."registry.example.com:5000".tls.ca_file` or `endpoint[0]`.

    Strings are keys (quoted unless they are plain words), integers are places in a list.
    """
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _is_plain(part) else quoted(part))
    return text


def meant(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be, or None."""
    if len(word) > _LONGEST:
        return None
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


def _is_plain(key: str) -> bool:
    return _PLAIN_KEY.match(key) is not None and len(key) <= _LONGEST and redact(key) == key
