# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy that a request goes through, and how it is spoken to."""

from __future__ import annotations

from typing import Mapping, NamedTuple
from urllib.parse import unquote, urlsplit

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.no_proxy import is_proxied

from .challenge import basic_header


class ProxyError(ValueError):
    """The proxy's URL cannot be used. The message names the variable, never its value: it may hold a password."""


class Proxy(NamedTuple):
    """A proxy: ``secure`` if it is spoken to over TLS, ``authorization`` for the header, "" without a user."""

    host: str
    port: int
    secure: bool
    authorization: str

    @property
    def text(self) -> str:
        """Its host and port."""
        return f"{self.host}:{self.port}"


def proxy_for(environment: Mapping[str, str], scheme: str, host: str) -> Proxy | None:
    """The proxy for a request, or None if it goes straight.

    :param environment: of the service that runs containerd.
    :param scheme: ``http`` or ``https``.
    :param host: ``host`` or ``host:port`` as it stands in the URL.
    :raises ProxyError: if its URL cannot be used.
    """
    name = "HTTPS_PROXY" if scheme == "https" else "HTTP_PROXY"
    value = environment.get(name) or environment.get(name.lower(), "")
    if not value or not is_proxied(environment.get("NO_PROXY") or environment.get("no_proxy", ""), scheme, host):
        return None
    return _parsed(value, name)


def _parsed(value: str, name: str) -> Proxy:
    try:
        url = urlsplit(value if "://" in value else "http://" + value)
        port = url.port
    except ValueError:
        raise ProxyError(f"{name} holds no URL") from None
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ProxyError(f"{name} names no http:// or https:// proxy, and no other is tried here")
    authorization = ""
    if url.username is not None:
        authorization = basic_header(unquote(url.username), unquote(url.password or ""))
    secure = url.scheme == "https"
    return Proxy(url.hostname, port or (443 if secure else 80), secure, authorization)
