# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets that a call knows: those of its configuration, in every form in which a text could hold them."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Iterable, Iterator, Mapping, Match
from urllib.parse import quote, quote_plus

from .urls import MASK, credentials_in

#: A shorter secret is not looked for: it would be found in every other word, and the text that comes back would say
#: nothing, which a registry could bring about by handing out a token of one letter. If it stands as a credential,
#: in a URL, a header or behind ``password:``, it is masked by its place.
SHORTEST = 4
#: From this length on a secret is masked inside of longer words, too.
_DISTINCT = 8
# Enough for some hundred registries. Every text is searched for every one of them: without a limit, somebody else's
# file could make that take minutes. What stands as a credential is masked by its place all the same.
_MOST = 2000
_GO_ESCAPED = re.compile("[<>&\u2028\u2029]")
_SECRET_KEYS = ("password", "auth", "identity_token", "identitytoken", "registrytoken", "token")


def known_secrets(config: Any) -> list[str]:
    """Every way in which the credentials of a registries configuration could stand in a text, longest first.

    :param config: ``{"mirrors": ..., "configs": ...}``, of which anything may be missing or of a wrong type.
    """
    found: set[str] = set()
    sections = config if isinstance(config, Mapping) else {}
    mirrors, configs = (_mapping(sections.get(name)) for name in ("mirrors", "configs"))
    for entry in configs.values():
        found.update(secrets_of(_mapping(_mapping(entry).get("auth"))))
    for name in [*mirrors, *configs]:
        found.update(credentials_in(str(name)))
    for mirror in mirrors.values():
        endpoints = _mapping(mirror).get("endpoint")
        for endpoint in endpoints if isinstance(endpoints, (list, tuple)) else [endpoints or ""]:
            found.update(credentials_in(str(endpoint)))
    return longest_first(found)


def secrets_of(auth: Mapping[str, Any]) -> Iterator[str]:
    """The same of one table of credentials, of registries.yaml or of config.toml."""
    username = str(auth.get("username") or "")
    for key in _SECRET_KEYS:
        value = auth.get(key)
        if value and isinstance(value, (str, int, float)) and str(value) != MASK:
            yield from _forms(str(value), username)


def longest_first(secrets: Iterable[str]) -> list[str]:
    """Those that are looked for, in the order that leaves no half of one behind."""
    found = {secret for secret in secrets if len(secret) >= SHORTEST}
    return sorted(found, key=lambda item: (-len(item), item))[:_MOST]


def without_known(text: str, secrets: Iterable[str]) -> str:
    """``text`` with these secrets masked, also if a line break cuts one in two."""
    secrets = [secret for secret in secrets if secret not in MASK]
    if "\n" in text:
        text = _without_split(text, secrets)
    for secret in longest_first([secret for secret in secrets if secret in text]):
        if len(secret) >= _DISTINCT:
            text = text.replace(secret, MASK)
        else:
            # Not within a word: "test" stays in "latest". "\n" before it, as quoted texts have it, is no letter.
            text = re.sub(r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))%s(?![A-Za-z0-9])" % re.escape(secret), MASK, text)
    return text


def _without_split(text: str, secrets: list[str]) -> str:
    """Without the secrets that go on in the next line: journald cuts long lines, and base64 comes in lines of 76."""
    joined = text.replace("\n", "")
    cut = [secret for secret in secrets if len(secret) >= _DISTINCT and secret in joined]
    for secret in longest_first(cut):
        if joined.count(secret) == text.count(secret):
            continue
        text = re.sub("\n?".join(map(re.escape, secret)), _masked_in_lines, text)
        joined = text.replace("\n", "")
    return text


def _masked_in_lines(match: Match[str]) -> str:
    return MASK + "\n" * match.group(0).count("\n")


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _within_base64(secret: str) -> Iterator[str]:
    """What the base64 of any text with the secret in it holds, at each of the three places where it may begin."""
    content = secret.encode("utf-8", "replace")
    for shift in range(3):
        encoded = base64.b64encode(b"." * shift + content).decode("ascii")
        # A character has six bits: those at the ends are not the secret's alone.
        core = encoded[-(-shift * 8 // 6) : (shift + len(content)) * 8 // 6]
        if len(core) >= _DISTINCT:
            yield core
            yield core.replace("+", "-").replace("/", "_")


def _forms(secret: str, username: str) -> Iterator[str]:
    yield secret
    once = quote(secret, safe="")
    # Go escapes less in user information, and whoever puts a URL into a parameter of another one escapes twice.
    for encoded in (once, quote(secret), quote_plus(secret), quote(secret, safe="$&+,;="), quote(once, safe="")):
        yield encoded
        yield re.sub("%[0-9A-F]{2}", lambda match: match.group(0).lower(), encoded)
    quoted = secret
    for _level in range(3):
        # A log line quotes, and the kubelet quotes that line again.
        quoted = quoted.replace("\\", "\\\\").replace('"', '\\"')
        yield quoted
    escaped = json.dumps(secret)[1:-1]
    yield escaped
    # Go's JSON is made for web pages, and some write a slash as "\\/".
    yield _GO_ESCAPED.sub(lambda match: "\\u%04x" % ord(match.group(0)), escaped)
    yield escaped.replace("/", "\\/")
    yield from _within_base64(secret)
    yield base64.b64encode((username + ":" + secret).encode("utf-8", "replace")).decode("ascii")
    yield base64.b64encode(secret.encode("utf-8", "replace")).decode("ascii")
    try:
        decoded = base64.b64decode(secret, validate=True).decode("utf-8")
    except ValueError:
        return
    if decoded.isprintable() and ":" in decoded:
        yield decoded
        yield decoded.partition(":")[2]
