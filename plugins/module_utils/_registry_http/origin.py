# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a URL leads: scheme, host and port, and nothing else. What belongs to one origin belongs to no other. Pure.

Everything that decides about credentials, TLS settings and connections asks here, so that no two parts of the
collection read one URL in two ways. What a URL's reader could stumble over (control characters, backslashes, odd ports)
is no address.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_ip import split_host_port
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.no_proxy import host_and_port

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_.])?")
_IPV6 = re.compile(r"[0-9a-f.]*:[0-9a-f:.]+(%[a-z0-9._-]+)?")
_PORT = re.compile(r"[0-9]{0,5}")
_LONGEST, _LONGEST_NAME = 8192, 253


class AddressError(ValueError):
    """The text is no web address that can be asked."""


class Origin(NamedTuple):
    """``host`` is in lower case, as ASCII and without brackets; ``port`` is there even if the URL leaves it out."""

    scheme: str
    host: str
    port: int

    @property
    def text(self) -> str:
        """As a URL without a path, the port left out if it is the scheme's own."""
        return f"{self.scheme}://{bracketed(self.host)}" + (
            "" if self.port == default_port(self.scheme) else f":{self.port}"
        )

    @property
    def netloc(self) -> str:
        """``host[:port]`` as a request names it."""
        return self.text.partition("://")[2]


def bracketed(host: str) -> str:
    """A host as it stands before ``:port``."""
    return f"[{host}]" if ":" in host else host


def default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def origin_of(url: str) -> Origin:
    """:raises AddressError: if it is no http or https URL with a host that can be asked."""
    if _CONTROL.search(url) or len(url) > _LONGEST:
        raise AddressError("control characters in a URL, or too many of any")
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise AddressError("neither http nor https")
        if "\\" in parts.netloc:
            raise AddressError("a backslash, which some take for a slash")
        host = parts.netloc.rpartition("@")[2]
        if not host.isascii():
            # As it goes over the wire: a name that looks like another is told apart from it.
            name, colon, port = host.partition(":")
            host = name.encode("idna").decode("ascii") + colon + port
        split = split_host_port(host)
        # int() would take more for a number than a URL may have, such as 4_4_3.
        if split is not None and not _PORT.fullmatch(split[1]):
            raise AddressError("a port that is no number")
        name, number = host_and_port(host, parts.scheme)
    except UnicodeError:
        raise AddressError("a host that is no name") from None
    except ValueError as error:
        raise AddressError(str(error)) from None
    name = name.replace("%25", "%")
    if len(name) > _LONGEST_NAME or not (_IPV6 if host.startswith("[") else _NAME).fullmatch(name):
        raise AddressError("a host that is neither name nor address")
    return Origin(parts.scheme, name, number)


def bare_origin_of(url: str) -> Origin:
    """:func:`origin_of` for a URL that must not hold a user name: in one from a registry, whose would it be?

    :raises AddressError: also if it holds one. The message never repeats the URL: it may hold a password.
    """
    found = origin_of(url)
    if "@" in urlsplit(url).netloc:
        raise AddressError("it holds a user name or a password")
    return found


def leaves_tls(first: Origin, then: Origin) -> bool:
    """Whether everybody on the way could read and change what passes, from the second server on."""
    return first.scheme == "https" and then.scheme == "http"


def joined(url: str, location: str) -> str:
    """Where a redirect leads, relative ones too.

    :raises AddressError: if that is no web address.
    """
    if _CONTROL.search(location):
        raise AddressError("control characters in a URL")
    try:
        target = urljoin(url, location)
    except ValueError as error:
        raise AddressError(str(error)) from None
    origin_of(target)
    return target


def is_within(host: str, other: str) -> bool:
    """Whether Go's HTTP client takes credentials for ``other`` along to ``host``: the same name, or one below it.

    Neither scheme nor port counts. Source: ``shouldCopyHeaderOnRedirect`` in Go's ``net/http/client.go``.
    """
    return host == other or (":" not in host and "%" not in host and host.endswith("." + other))
