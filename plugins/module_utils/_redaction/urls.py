# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials in URLs and in host names: user information before the host, parameters after it."""

from __future__ import annotations

import re
from typing import Iterator, Match

from .forms import LONGEST

MASK = "********"

# Query parameters that carry no secret. Every other value is masked, since blob stores name theirs as they like.
_PLAIN_PARAMETERS = frozenset(("ns", "scope", "service", "n", "last", "from", "mount", "digest"))

_PARAMETER = re.compile(r"([?&;])([^=&;?\s\"'\\]{1,256})=([^&;\s\"'\\]{1,%d})" % LONGEST)
_FRAGMENT = re.compile(r"#[^\s\"']{0,%d}" % LONGEST)
# What a URL in a log line, or a host in an error, is made of; blanks and quotes end it.
_WORD = re.compile(r"[^\s\"'`<>\\]{1,%d}" % LONGEST)
# An image by digest: what follows this @ is no host.
_DIGEST = re.compile(r"(?:sha(?:1|224|256|384|512)|blake3|md5):")
# Not any word: a password may end in "://".
_SCHEME_ENDS = re.compile(r"(?i)(?:\A|[^A-Za-z0-9+.-])(?:https?|oci|docker|tcp|unix|socks5h?|ftp|ssh|git)\Z")
_USER_AND_MORE = re.compile(r"[A-Za-z0-9._%+$~@-]{1,256}:[^/]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}:/+|//")


def without_credentials(text: str) -> str:
    """A value that is meant to be a URL or a host, such as an endpoint or a key of ``configs``, without credentials.

    Everything between the scheme and the last ``@`` counts as user information, whatever a password holds; so does
    ``admin:password@host`` without a scheme.
    """
    scheme = _SCHEME.match(text)
    start = scheme.end() if scheme else 0
    at = _last_at(text)
    shown = text if at < start else text[:start] + MASK + text[at:]
    return _FRAGMENT.sub("#" + MASK, _without_parameters(shown)) if "#" in shown else _without_parameters(shown)


def without_credentials_in(line: str) -> str:
    """A line of text without the credentials in its URLs."""
    if "@" in line:
        line = _WORD.sub(lambda match: _without_user(match.group(0)), line)
    return _without_parameters(line) if "=" in line else line


def credentials_in(text: str) -> Iterator[str]:
    """What :func:`without_credentials` would hide, whole and in the parts that a parser may make of it."""
    scheme = _SCHEME.match(text)
    start = scheme.end() if scheme else 0
    at = _last_at(text)
    if at > start:
        user = text[start:at]
        yield user
        yield user.partition(":")[2]
        # A slash in a password ends the host for a parser: what stands before it is taken for host and port.
        yield re.split(r"[/?#]", user, maxsplit=1)[0]
        yield from re.split(r"[/?#@:]", user.partition(":")[2])
    for match in _PARAMETER.finditer(text):
        if match.group(2) not in _PLAIN_PARAMETERS:
            yield match.group(3)


def _without_user(word: str) -> str:
    at = _last_at(word)
    if at < 0:
        return word
    scheme = word.find("://", 0, at)
    if scheme >= 0 and _SCHEME_ENDS.search(word, max(scheme - 24, 0), scheme):
        # Whatever stands before it: a password may hold any of "/?#@", and Go escapes an @ in paths and queries.
        return word[: scheme + 3] + MASK + word[at:]
    # "admin:password@host", and in the name of a folder that K3s makes of a key: "certs.d/https:/admin:password@host".
    start = max(word.rfind(sign, 0, max(word.rfind(":", 0, at), 0)) for sign in "=([{,;/") + 1
    if _USER_AND_MORE.match(word, start, at):
        return word[:start] + MASK + word[at:]
    return MASK + word[at:] if ":" in word[:at] else word


def _last_at(word: str) -> int:
    """Where the last ``@`` stands that is not the one before a digest, -1 without."""
    at = word.rfind("@")
    while at >= 0 and _DIGEST.match(word, at + 1):
        at = word.rfind("@", 0, at)
    return at


def _without_parameters(text: str) -> str:
    return _PARAMETER.sub(_masked_parameter, text)


def _masked_parameter(match: Match[str]) -> str:
    separator, name, _value = match.groups()
    return match.group(0) if name in _PLAIN_PARAMETERS else separator + name + "=" + MASK
