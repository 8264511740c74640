# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs as Go's ``net/url`` parses and prints them (Go 1.24, which builds K3s v1.34).

Python's ``urllib.parse`` accepts what Go refuses (a space in a host, a port that is no number) and
prints other text (Go escapes the path anew), so neither the endpoints K3s drops nor the bytes of
hosts.toml could be told with it. All fields hold bytes as text, see :mod:`go_text`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .go_ip import parse_ip
from .go_text import go_quote, to_go_bytes


class GoUrlError(ValueError):
    """Go's ``url.Parse`` refuses the text; the message is Go's own."""


_HEX = re.compile(r"%([0-9a-fA-F]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_PORT = re.compile(r":[0-9]*\Z")
_USERINFO = re.compile(r"[A-Za-z0-9._:~!$&'()*+,;=%@-]*\Z")

# The bytes that net/url escapes, by the part of the URL they stand in.
_MUST_ESCAPE = {
    "host": re.compile(r"""[^A-Za-z0-9!$&'()*+,;=:\[\]<>"_.~-]"""),
    "path": re.compile(r"[^A-Za-z0-9_.~$&+,/:;=@-]"),
    "userinfo": re.compile(r"[^A-Za-z0-9_.~$&+,;=-]"),
    "fragment": re.compile(r"[^A-Za-z0-9_.~$&+,/:;=?@!()*-]"),
}
# A path or fragment that holds only these keeps the user's own spelling when it is printed.
_VALID_ENCODED = {
    "path": re.compile(r"[A-Za-z0-9_.~$&+,/:;=@!'()*\[\]%-]*\Z"),
    "fragment": re.compile(r"[A-Za-z0-9_.~$&+,/:;=?@!'()*\[\]%-]*\Z"),
}


@dataclass
class GoUrl:
    """The result of :func:`parse`; :meth:`__str__` is Go's ``URL.String``."""

    scheme: str = ""
    opaque: str = ""
    username: str | None = None
    password: str | None = None
    host: str = ""
    path: str = ""
    raw_path: str = ""
    omit_host: bool = False
    force_query: bool = False
    raw_query: str = ""
    fragment: str = ""
    raw_fragment: str = ""

    def port(self) -> str:
        """The digits after the host's last colon, or "" (Go's ``URL.Port``)."""
        colon = self.host.rfind(":")
        if colon < 0 or not _PORT.match(self.host, colon):
            return ""
        return self.host[colon + 1 :]

    def __str__(self) -> str:
        out = self.scheme + ":" if self.scheme else ""
        if self.opaque:
            out += self.opaque
        else:
            has_authority = bool(self.scheme or self.host) or self.username is not None
            omit = self.omit_host and not self.host and self.username is None
            if has_authority and not omit:
                out += self._authority()
            path = self._escaped("path", self.path, self.raw_path)
            if path and path[0] != "/" and self.host:
                out += "/"
            if not out and ":" in path.partition("/")[0]:
                out += "./"
            out += path
        if self.force_query or self.raw_query:
            out += "?" + self.raw_query
        if self.fragment:
            out += "#" + self._escaped("fragment", self.fragment, self.raw_fragment)
        return out

    def _authority(self) -> str:
        out = "//" if self.host or self.path or self.username is not None else ""
        if self.username is not None:
            out += _escape(self.username, "userinfo")
            if self.password is not None:
                out += ":" + _escape(self.password, "userinfo")
            out += "@"
        return out + _escape(self.host, "host")

    @staticmethod
    def _escaped(mode: str, decoded: str, raw: str) -> str:
        """The user's own escaping if it is a valid one of the decoded text, else Go's own."""
        if raw and _VALID_ENCODED[mode].match(raw):
            try:
                if _unescape(raw, mode) == decoded:
                    return raw
            except GoUrlError:
                pass
        if mode == "path" and decoded == "*":
            return "*"
        return _escape(decoded, mode)


def parse(text: str) -> GoUrl:
    """Go's ``url.Parse``.

    :raises GoUrlError: if Go returns an error, with its text.
    """
    raw = to_go_bytes(text)
    main, _sign, fragment = raw.partition("#")
    try:
        url = _parse_without_fragment(main)
    except GoUrlError as error:
        raise GoUrlError(f"parse {_quote_bytes(main)}: {error}") from None
    if fragment:
        try:
            url.fragment = _unescape(fragment, "fragment")
        except GoUrlError as error:
            raise GoUrlError(f"parse {_quote_bytes(raw)}: {error}") from None
        if fragment != _escape(url.fragment, "fragment"):
            url.raw_fragment = fragment
    return url


def _parse_without_fragment(raw: str) -> GoUrl:
    if _CONTROL.search(raw):
        raise GoUrlError("net/url: invalid control character in URL")
    url = GoUrl()
    if raw == "*":
        url.path = "*"
        return url
    rest = _split_scheme(raw, url)
    if rest.endswith("?") and rest.count("?") == 1:
        url.force_query = True
        rest = rest[:-1]
    else:
        rest, _sign, url.raw_query = rest.partition("?")
    if not rest.startswith("/"):
        if url.scheme:
            url.opaque = rest
            return url
        if ":" in rest.partition("/")[0]:
            raise GoUrlError("first path segment in URL cannot contain colon")
    if rest.startswith("//") and (url.scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        _parse_authority(authority, url)
        rest = slash + path
    elif url.scheme and rest.startswith("/"):
        url.omit_host = True
    url.path = _unescape(rest, "path")
    if rest != _escape(url.path, "path"):
        url.raw_path = rest
    return url


def _split_scheme(raw: str, url: GoUrl) -> str:
    if raw.startswith(":"):
        raise GoUrlError("missing protocol scheme")
    match = _SCHEME.match(raw)
    if match is None:
        return raw
    url.scheme = match.group(1).lower()
    return raw[match.end() :]


def _parse_authority(authority: str, url: GoUrl) -> None:
    userinfo, at, host = authority.rpartition("@")
    url.host = _parse_host(host)
    if not at:
        return
    if not _USERINFO.match(userinfo):
        raise GoUrlError("net/url: invalid userinfo")
    username, colon, password = userinfo.partition(":")
    url.username = _unescape(username, "userinfo")
    url.password = _unescape(password, "userinfo") if colon else None


def _parse_host(host: str) -> str:
    opening = host.rfind("[")
    if opening < 0:
        colon = host.rfind(":")
        if colon >= 0 and not _PORT.match(host, colon):
            raise GoUrlError(f"invalid port {_quote_bytes(host[colon:])} after host")
        return _unescape(host, "host")
    closing = host.rfind("]")
    if closing < 0:
        raise GoUrlError("missing ']' in host")
    port = host[closing + 1 :]
    if port and not _PORT.match(port):
        raise GoUrlError(f"invalid port {_quote_bytes(port)} after host")
    name = host[opening + 1 : closing]
    zone_at = name.find("%25")
    if zone_at >= 0:
        name = _unescape(name[:zone_at], "host") + _unescape(name[zone_at:], "zone")
    else:
        name = _unescape(name, "host")
    address = parse_ip(name)
    if isinstance(address, str):
        raise GoUrlError(f"invalid host: {address}")
    if address.version == 4:
        raise GoUrlError("invalid IP-literal")
    return "[" + name + "]" + port


def _unescape(text: str, mode: str) -> str:
    if mode in {"host", "zone"}:
        _check_host_text(text, mode)
    elif "%" not in text:
        return text
    position = text.find("%")
    while position >= 0:
        if not _HEX.match(text, position):
            raise GoUrlError(f"invalid URL escape {_quote_bytes(text[position : position + 3])}")
        position = text.find("%", position + 3)
    return _HEX.sub(lambda match: chr(int(match.group(1), 16)), text)


def _check_host_text(text: str, mode: str) -> None:
    """Refuses what a host may not hold: most escapes of ASCII, and ASCII that would need an escape."""
    position = 0
    while position < len(text):
        char = text[position]
        if char == "%":
            match = _HEX.match(text, position)
            if match is None:
                raise GoUrlError(f"invalid URL escape {_quote_bytes(text[position : position + 3])}")
            value = int(match.group(1), 16)
            refused = value < 0x80 if mode == "host" else value != 0x20 and bool(_MUST_ESCAPE["host"].match(chr(value)))
            if refused and match.group() != "%25":
                raise GoUrlError(f"invalid URL escape {_quote_bytes(match.group())}")
            position += 3
            continue
        if ord(char) < 0x80 and _MUST_ESCAPE["host"].match(char):
            raise GoUrlError(f"invalid character {_quote_bytes(char)} in host name")
        position += 1


def _escape(text: str, mode: str) -> str:
    return _MUST_ESCAPE[mode].sub(lambda match: f"%{ord(match.group()):02X}", text)


def _quote_bytes(raw: str) -> str:
    return go_quote(raw.encode("latin-1").decode("utf-8", "surrogateescape"))
