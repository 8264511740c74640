# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of Go's net/url and strconv as registry endpoints need: Parse, String and Quote."""

from __future__ import annotations

import re

_ALWAYS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
_HOST = _ALWAYS + "!$&'()*+,;=:[]<>\""
_PATH = _ALWAYS + "$&+,/:;=@"
_PATH_AS_GIVEN = _PATH + "!'()*[]"
_ESCAPES = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 34: '\\"', 92: "\\\\"}


class URLError(Exception):
    """Worded as net/url words it."""


def quote(text: str) -> str:
    """strconv.Quote, the %q of K3s' templates."""
    parts = []
    for character in text:
        number = ord(character)
        if number in _ESCAPES:
            parts.append(_ESCAPES[number])
        elif character.isprintable():
            parts.append(character)
        elif number < 0x80:
            parts.append("\\x%02x" % number)
        elif number < 0x10000:
            parts.append("\\u%04x" % number)
        else:
            parts.append("\\U%08x" % number)
    return '"%s"' % "".join(parts)


class URL:
    def __init__(self) -> None:
        self.scheme = ""
        self.userinfo: str | None = None
        self.host = ""
        self.path = ""
        self.written_path = ""
        self.query: str | None = None
        self.fragment = ""

    @property
    def port(self) -> str:
        match = re.search(r":([0-9]*)$", self.host.rpartition("]")[2] if "]" in self.host else self.host)
        return match.group(1) if match else ""

    def set_path(self, path: str) -> None:
        self.path = _unescape(path)
        self.written_path = path if all(c in _PATH_AS_GIVEN + "%" for c in path) else _escape(self.path, _PATH)

    def __str__(self) -> str:
        text = self.scheme + "://" if self.scheme else "//"
        if self.userinfo is not None:
            text += self.userinfo + "@"
        text += _escape(self.host, _HOST)
        text += self.written_path
        if self.query is not None:
            text += "?" + self.query
        if self.fragment:
            text += "#" + self.fragment
        return text


def parse(address: str) -> URL:
    """url.Parse for an address that contains `//`.

    :raises URLError: `parse "<address>": <reason>`
    """
    url = URL()
    rest, _unused, url.fragment = address.partition("#")
    try:
        if any(ord(c) < 0x20 or ord(c) == 0x7F for c in rest):
            raise URLError("net/url: invalid control character in URL")
        url.scheme, rest = _scheme(rest)
        rest, mark, query = rest.partition("?")
        if mark:
            url.query = query
        if not rest.startswith("//"):
            if ":" in rest.partition("/")[0]:
                raise URLError("first path segment in URL cannot contain colon")
            raise URLError("no host")
        authority, slash, path = rest[2:].partition("/")
        _authority(url, authority)
        url.set_path(slash + path)
    except URLError as error:
        raise URLError("parse %s: %s" % (quote(address.partition("#")[0]), error)) from None
    return url


def _scheme(text: str) -> tuple[str, str]:
    for position, character in enumerate(text):
        if character.isascii() and character.isalpha():
            continue
        if character in "0123456789+-.":
            if position == 0:
                return "", text
        elif character == ":":
            if position == 0:
                raise URLError("missing protocol scheme")
            return text[:position].lower(), text[position + 1 :]
        else:
            return "", text
    return "", text


def _authority(url: URL, authority: str) -> None:
    userinfo, at, host = authority.rpartition("@")
    if at:
        if not all(c in _ALWAYS + ":@!$&'()*+,;=%" for c in userinfo):
            raise URLError("net/url: invalid userinfo")
        url.userinfo = userinfo
    if host.startswith("["):
        end = host.rfind("]")
        if end < 0:
            raise URLError("missing ']' in host")
        port = host[end + 1 :]
    else:
        port = host[host.rfind(":") :] if ":" in host else ""
    if port and not re.match(r"^:[0-9]*$", port):
        raise URLError("invalid port %s after host" % quote(port))
    for character in re.sub(r"%25|%[89a-fA-F][0-9a-fA-F]", "", host):
        if character == "%":
            raise URLError("invalid URL escape %s" % quote(host[host.find("%") :][:3]))
        if ord(character) < 0x80 and character not in _HOST:
            raise URLError("invalid character %s in host name" % quote(character))
    url.host = _unescape(host)


def _unescape(text: str) -> str:
    bad = re.search(r"%(?![0-9a-fA-F]{2}).{0,2}", text)
    if bad:
        raise URLError("invalid URL escape %s" % quote(bad.group(0)))
    data = re.sub(rb"%([0-9a-fA-F]{2})", lambda m: bytes([int(m.group(1), 16)]), text.encode())
    return data.decode("utf-8", "replace")


def _escape(text: str, allowed: str) -> str:
    return "".join(chr(b) if chr(b) in allowed else "%%%02X" % b for b in text.encode())
