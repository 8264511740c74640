# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry asks for in ``WWW-Authenticate``, the token request that it leads to, and its answer. Pure.

Source: ``ParseAuthHeader`` in containerd's ``core/remotes/docker/auth/parse.go``, ``FetchToken`` and
``FetchTokenWithOAuth`` in ``fetch.go`` beside it, ``GetTokenScopes`` in ``core/remotes/docker/scope.go``.
"""

from __future__ import annotations

import base64
import re
from typing import Iterable, NamedTuple, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from .json_text import json_object, text_of

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER = re.compile(
    r"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]*))\s*"""
)
_ORDER = ("bearer", "digest", "basic")
TOKEN_LIMIT = 64 << 10
"""Bytes of a token server's answer."""
_SENDABLE = re.compile(r"[\x21-\x7e]+")


class Challenge(NamedTuple):
    """``scheme`` is ``bearer``, ``digest`` or ``basic``; the names of the parameters are in lower case."""

    scheme: str
    parameters: dict[str, str]


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """The challenges of all ``WWW-Authenticate`` headers, in the order in which containerd prefers them.

    A header has one challenge: what follows its parameters is not looked at. Schemes that are not known are left out.
    """
    found = []
    for header in headers:
        match = _TOKEN.match(header)
        scheme = match.group().lower() if match is not None else ""
        if match is not None and scheme in _ORDER:
            found.append(Challenge(scheme, _parameters(header, match.end())))
    return sorted(found, key=lambda challenge: _ORDER.index(challenge.scheme))


def _parameters(header: str, position: int) -> dict[str, str]:
    found: dict[str, str] = {}
    while True:
        match = _PARAMETER.match(header, position)
        if match is None:
            return found
        name, quoted, plain = match.groups()
        found[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
        position = match.end()
        if header[position : position + 1] != ",":
            return found
        position += 1


def scopes(repository: str, challenge: Challenge) -> list[str]:
    """The scopes that a token is asked for: pulling the repository, and those of the challenge.

    :param repository: "" if none is to be pulled.
    """
    wanted = {f"repository:{repository}:pull"} if repository else set()
    wanted.update(scope for scope in challenge.parameters.get("scope", "").split(" ") if scope)
    return sorted(wanted)


def token_url(realm: str, service: str, wanted: Sequence[str]) -> str:
    """The URL of a token request by GET."""
    parts = urlsplit(realm)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if service:
        query.append(("service", service))
    query += [("scope", scope) for scope in wanted]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))


def token_form(
    username: str, secret: str, service: str, wanted: Sequence[str], client: str = "containerd-client"
) -> bytes:
    """The body of a token request by POST: without a user name the secret is a refresh token."""
    form = {"scope": " ".join(wanted)} if wanted else {}
    form.update(service=service, client_id=client)
    if username:
        form.update(grant_type="password", username=username, password=secret)
    else:
        form.update(grant_type="refresh_token", refresh_token=secret)
    return urlencode(sorted(form.items()), errors="surrogateescape").encode("ascii")


def token_in(content: bytes) -> str:
    """The token in a token server's answer, "" if it holds none.

    :raises ValueError: if it holds one that cannot be sent in a header.
    """
    try:
        fields = json_object(content)
    except ValueError:
        fields = {}
    token = text_of(fields.get("access_token")) or text_of(fields.get("token"))
    if token and not _SENDABLE.fullmatch(token):
        raise ValueError("its token cannot be sent in a header")
    return token


def basic_header(username: str, secret: str) -> str:
    """The value of ``Authorization`` for a user name and a password."""
    return "Basic " + base64.b64encode(f"{username}:{secret}".encode("utf-8", "surrogateescape")).decode("ascii")
