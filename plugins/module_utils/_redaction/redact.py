# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one redactor: what leaves a node, or enters a result, a file, a diff or the terminal, goes through it.

Log lines, error messages and answers are chosen by registries, mirrors and nodes, and hold what others would like to
read: containerd keeps the Authorization header of its own requests out of its log, but signed URLs of blob stores,
passwords in endpoint URLs, response headers, a pod's decoded pull secret and ``invalid decoded auth`` do reach it.

Masked are, in this order: the secrets that the call knows (``known.py``), private keys, tokens known by their form
(``forms.py``), credentials in URLs (``urls.py``), and what stands behind the name of a header or field
(``fields.py``). A line is looked at up to :data:`LONGEST` characters, the rest is left out and said to be; within them
every expression is bounded, so a text takes time in proportion to its length.
"""

from __future__ import annotations

import functools
from typing import Any, Iterable, Mapping

from .fields import without_placed
from .forms import KNOWN_FORMS, LONGEST, PRIVATE_KEY_BEGINS, PRIVATE_KEY_ENDS
from .known import known_secrets, longest_first, secrets_of, without_known
from .urls import MASK, without_credentials, without_credentials_in
from .visible import visible, visible_block, visible_lines

__all__ = (
    "LONGEST", "MASK", "Redactor", "known_secrets", "redact", "secrets_of", "secrets_of_tables", "visible",
    "visible_block", "visible_lines", "without_credentials",
)  # fmt: skip

_DECODED_AUTH = "invalid decoded auth: "
# A word that the cut goes through is left out: half a secret may no longer be recognised.
_CUT_WORD = 512
_LONGEST_KEY = 16384


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` with credentials masked: ``secrets`` literally, everything else by its place or form.

    :param secrets: what :func:`known_secrets` gives, or any strings; very short ones are left to their place, see
        ``known.SHORTEST``.
    """
    text = without_known(text, secrets)
    if "PRIVATE KEY" in text:
        text = _without_private_keys(text)
    place = text.find(_DECODED_AUTH)
    if place >= 0:
        text = text[: place + len(_DECODED_AUTH)] + MASK
    if "\n" not in text:
        return _of_line(text)
    return "\n".join(_of_line(line) for line in text.split("\n"))


def secrets_of_tables(tables: Iterable[Mapping[str, Any]]) -> list[str]:
    """The secrets in tables of credentials, of config.toml or registries.yaml."""
    return [secret for table in tables for secret in secrets_of(table)]


class Redactor:
    """:func:`redact` for one call's secrets; what it returns is fit to be shown, too."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = longest_first(secrets)

    @classmethod
    def of_tables(cls, tables: Iterable[Mapping[str, Any]]) -> Redactor:
        """One that knows the credentials of these tables of config.toml or registries.yaml."""
        return cls(secrets_of_tables(tables))

    def text(self, text: str) -> str:
        """A message, on one line."""
        return visible(redact(text, self._secrets))

    def lines(self, lines: Iterable[str]) -> list[str]:
        """Lines of a log that follow each other: a private key may go over several of them."""
        return [visible(line) for line in redact("\n".join(lines), self._secrets).split("\n")]


def _of_line(line: str) -> str:
    return _cached(line) if len(line) <= _CUT_WORD else _masked(_cut(line))


@functools.lru_cache(maxsize=4096)
def _cached(line: str) -> str:
    """The nodes of a fleet say the same, thousands of times over."""
    return _masked(line)


def _masked(line: str) -> str:
    line = KNOWN_FORMS.sub(MASK, line)
    if "@" in line or "=" in line or ":" in line:
        line = without_placed(without_credentials_in(line))
    elif " " in line:
        line = without_placed(line)
    return line


def _cut(line: str) -> str:
    if len(line) <= LONGEST:
        return line
    end = line.rfind(" ", LONGEST - _CUT_WORD, LONGEST)
    end = end if end >= 0 else LONGEST - _CUT_WORD
    return "%s ... (%d more characters)" % (line[:end], len(line) - end)


def _without_private_keys(text: str) -> str:
    """Without what stands between the armour of private keys; half of one is one, too, up to a key's usual length."""
    parts: list[str] = []
    done = 0
    begins, first_end = PRIVATE_KEY_BEGINS.search(text), PRIVATE_KEY_ENDS.search(text)
    if first_end is not None and (begins is None or first_end.start() < begins.start()):
        # What was cut off before it held the beginning.
        parts += [text[: max(0, first_end.start() - _LONGEST_KEY)], MASK]
        done = first_end.end()
    ends = first_end
    while begins is not None:
        if ends is not None and ends.start() < begins.end():
            ends = PRIVATE_KEY_ENDS.search(text, begins.end())
        parts += [text[done : begins.start()], MASK]
        done = ends.end() if ends is not None else min(len(text), begins.end() + _LONGEST_KEY)
        begins = PRIVATE_KEY_BEGINS.search(text, done)
    return "".join([*parts, text[done:]])
