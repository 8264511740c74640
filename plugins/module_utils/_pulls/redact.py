# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes secrets out of log lines before they become evidence.

containerd keeps the Authorization header of its own requests out of its log, but signed URLs of blob stores, user
names and passwords in endpoint URLs, response headers at debug level and one error (``invalid decoded auth``, which
quotes what it decoded) do reach it.
"""

from __future__ import annotations

import base64
import re
from typing import Any, Iterable, Match
from urllib.parse import quote

MASK = "********"

# Query parameters that carry no secret; every other value is masked, since blob stores name theirs as they like.
_PLAIN_PARAMETERS = frozenset(("ns", "scope", "service", "n", "last", "from", "mount", "digest"))
_SHORTEST_SECRET = 4

_QUERY = re.compile(r"([?&;])([^=&;\s\"'\\]+)=([^&;\s\"'\\]*)")
_USERINFO = re.compile(r"(://)[^/\s\"'\\]+@")
_DECODED_AUTH = re.compile(r"(invalid decoded auth: )(.*)", re.DOTALL)
# "authorization: " alone is prose of containerd's ("may require authorization: ..."), so it needs a field's form.
_HEADER = re.compile(
    r"(?i)((?:proxy-)?authorization(?:\s*=\s*|\\*\"\s*:\s*)|(?:(?:set-)?cookie|x-[\w-]*(?:token|key|secret)[\w-]*"
    r"|private-token)\\*\"?\s*[=:]\s*)(\\*[\"\[]*)[^\"\\\n]+"
)
# A word that only ends a sentence ("Basic authentication.") is no credential.
_SCHEME = re.compile(
    r"(?i)\b(bearer|basic|negotiate|digest|token)(\s+)(?=[^\s]*(?:[\d=_~+/-]|\.[^\s]))[A-Za-z0-9._~+/=-]{8,}"
)
_SECRETIVE = r"[\w.-]*(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)[\w-]*"
_KEYED = re.compile(
    r"(?i)(\b" + _SECRETIVE + r"\s*=\s*(?:\\*[\"'])?|[\"']" + _SECRETIVE + r"\\*[\"']\s*:\s*\\*[\"'])"
    r"((?<=[\"'])[^\"'\\]+|[^\s\"'\\,;&)}|]+)"
)
_SPOKEN = re.compile(r"(?i)\b(passw(?:or)?d|secret)(:\s+)(\S+)")
_KNOWN_SHAPES = re.compile(
    r"\beyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){1,2}|\bgh[pousr]_[A-Za-z0-9]{8,}|\bglpat-[\w-]{8,}|\bdckr_pat_[\w-]{8,}"
    r"|\bgithub_pat_\w{8,}|\bAKIA[0-9A-Z]{12,}"
)


def known_secrets(config: Any) -> list[str]:
    """Every way in which the credentials of a registries configuration could stand in a log, longest first."""
    configs = config.get("configs") if isinstance(config, dict) else None
    found: set[str] = set()
    for entry in configs.values() if isinstance(configs, dict) else ():
        auth = entry.get("auth") if isinstance(entry, dict) else None
        if not isinstance(auth, dict):
            continue
        username = str(auth.get("username") or "")
        for key in ("password", "auth", "identity_token"):
            value = auth.get(key)
            if value:
                found.update(_forms(str(value), username))
    return sorted((secret for secret in found if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)


def _forms(secret: str, username: str) -> Iterable[str]:
    yield secret
    yield quote(secret, safe="")
    yield secret.replace("\\", "\\\\").replace('"', '\\"')
    yield base64.b64encode((username + ":" + secret).encode("utf-8", "replace")).decode("ascii")
    try:
        decoded = base64.b64decode(secret, validate=True).decode("utf-8")
    except ValueError:
        return
    yield decoded
    yield decoded.partition(":")[2]


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with credentials masked: `secrets` literally, everything else by its place or shape."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    text = _DECODED_AUTH.sub(lambda match: match.group(1) + MASK, text)
    text = _USERINFO.sub(lambda match: match.group(1) + MASK + "@", text)
    text = _QUERY.sub(_masked_parameter, text)
    text = _HEADER.sub(lambda match: match.group(1) + match.group(2) + MASK, text)
    text = _SCHEME.sub(lambda match: match.group(1) + match.group(2) + MASK, text)
    text = _KEYED.sub(lambda match: match.group(1) + MASK, text)
    text = _SPOKEN.sub(lambda match: match.group(1) + match.group(2) + MASK, text)
    return _KNOWN_SHAPES.sub(MASK, text)


def _masked_parameter(match: Match[str]) -> str:
    separator, name, value = match.groups()
    if name in _PLAIN_PARAMETERS or not value:
        return match.group(0)
    return separator + name + "=" + MASK
