# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The header with which a hosts.toml carries credentials, put into the text that K3s writes and taken out of it again.

containerd sends the header with every request to that host, and asks for no other credentials as long as the registry
takes it. K3s' next start replaces the file, whose first line stays as it is, by the text without headers.

Source: ``hostFileConfig`` and ``getSortedHosts`` in containerd's ``core/remotes/docker/config/hosts.go``. The latter
takes a host's further table for another host unless it follows the first one directly.
"""

from __future__ import annotations

import re
from typing import Dict, Mapping

#: The default endpoint among the keys of :data:`Headers`; the others are the URLs of the endpoints.
DEFAULT = ""

Headers = Dict[str, str]
"""What one hosts.toml sends: an endpoint's URL, as it is written there, to the value of ``Authorization``."""

_VALUE = r'Authorization = "(Basic [A-Za-z0-9+/]+={0,2})"(?=\n)'
_OF_THE_DEFAULT = re.compile(r"\n\n\[header\]\n  " + _VALUE)
_OF_A_HOST = re.compile(r'\n  \[host\."([^"\n]*)"\.header\]\n    ' + _VALUE)
_HOST_TABLE = re.compile(r'\[host\."([^"\n]*)"\]')


class NoPlace(ValueError):
    """The text has no table for an endpoint, so that its header cannot be put anywhere."""


def with_headers(text: str, headers: Mapping[str, str]) -> str:
    """A hosts.toml of K3s' with these headers.

    :raises NoPlace: if one is for an endpoint that the file does not name.
    """
    if not headers:
        return text
    sections = _sections(text)
    written = []
    for name, lines in sections:
        value = headers.get(name) if name is not None else None
        if value is None:
            written += lines
            continue
        end = len(lines)
        while end and not lines[end - 1].strip():
            end -= 1
        if name == DEFAULT:
            added = ["", "[header]", '  Authorization = "%s"' % value]
        else:
            added = ['  [host."%s".header]' % name, '    Authorization = "%s"' % value]
        written += [*lines[:end], *added, *lines[end:]]
    if not set(headers) <= {name for name, _lines in sections}:
        raise NoPlace("an endpoint that hosts.toml does not name")
    return "\n".join(written)


def without_headers(text: str) -> tuple[str, Headers]:
    """The text as K3s has written it, and the headers in it; a text with anything else in it than
    :func:`with_headers` puts there is returned as it is."""
    if "Authorization" not in text:
        return text, {}
    found: Headers = {}
    for match in _OF_THE_DEFAULT.finditer(text):
        found[DEFAULT] = match.group(1)
    for match in _OF_A_HOST.finditer(text):
        found[match.group(1)] = match.group(2)
    bare = _OF_A_HOST.sub("", _OF_THE_DEFAULT.sub("", text))
    try:
        return (bare, found) if with_headers(bare, found) == text else (text, {})
    except NoPlace:
        return text, {}


def _sections(text: str) -> list[tuple[str | None, list[str]]]:
    """The lines of the text by the table that they belong to: the default endpoint's, which come before the first
    table and count only if they name a server, then each host's; None for others."""
    lines = text.split("\n")
    starts = [number for number, line in enumerate(lines) if line.startswith("[")]
    first = starts[0] if starts else len(lines)
    names_server = any(line.startswith('server = "http') for line in lines[:first])
    found: list[tuple[str | None, list[str]]] = [(DEFAULT if names_server else None, lines[:first])]
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        match = _HOST_TABLE.fullmatch(lines[start])
        found.append((match.group(1) if match else None, lines[start:end]))
    return found
