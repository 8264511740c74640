# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server a credential belongs to: the scheme, the host and the port it was configured for, and nothing else."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_UNUSABLE = re.compile(r"[\x00-\x20\x7f\\]")


class OriginError(ValueError):
    """A URL names no server that can be asked. The message never repeats the URL: it may hold a password."""


class Origin(NamedTuple):
    """One server: ``host`` is in lower case and without brackets, ``port`` is always a number."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """``host[:port]``, as ``Host`` and messages have it."""
        host = "[%s]" % self.host if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else "%s:%d" % (host, self.port)

    @property
    def text(self) -> str:
        """``scheme://host[:port]``."""
        return "%s://%s" % (self.scheme, self.authority)


def origin_of(url: str) -> Origin:
    """The server that a URL leads to.

    A URL from a registry (a redirect, a realm, the place of an upload) is the registry's to choose, so anything that
    two programs could read in two ways is refused: user names, spaces, control characters, backslashes.

    :raises OriginError: if it is no absolute http or https URL.
    """
    if _UNUSABLE.search(url):
        raise OriginError("the address holds characters that no URL has")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise OriginError("the address is no URL: check its host and port") from None
    if parts.scheme not in _PORTS or not host:
        raise OriginError("the address is no http:// or https:// URL")
    if "@" in parts.netloc:
        raise OriginError("the address holds a user name or a password")
    if port == 0:
        raise OriginError("the address has port 0")
    return Origin(parts.scheme, host.lower(), port or _PORTS[parts.scheme])


def belongs_to(owner: Origin, asked: Origin) -> bool:
    """Whether what was configured for one server (credentials, client certificate, exceptions) may go to another."""
    return owner == asked


def leaves_tls(first: Origin, then: Origin) -> bool:
    """Whether everybody on the way could read and change what passes, from the second server on."""
    return first.scheme == "https" and then.scheme == "http"
