# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxy a request goes through, by the rules of Go's ``golang.org/x/net/http/httpproxy``.

Python's own rules differ: no addresses with a mask, no ports, and names of this machine go through the proxy.
"""

from __future__ import annotations

import base64
import ipaddress
from typing import Mapping, NamedTuple
from urllib.parse import unquote, urlsplit

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_ip import is_localhost, split_host_port


class ProxyError(ValueError):
    """The proxy's URL cannot be used. The message names the variable, never its value: it may hold a password."""


class Proxy(NamedTuple):
    """A proxy: ``secure`` where it is spoken to over TLS, ``authorization`` for the header, "" without a user."""

    host: str
    port: int
    secure: bool
    authorization: str

    @property
    def text(self) -> str:
        """Its host and port."""
        return f"{self.host}:{self.port}"


def proxy_for(environment: Mapping[str, str], scheme: str, host: str) -> Proxy | None:
    """The proxy for a request, or None where it goes straight.

    :param environment: of the service that runs containerd.
    :param scheme: ``http`` or ``https``.
    :param host: ``host`` or ``host:port`` as it stands in the URL.
    :raises ProxyError: where its URL cannot be used.
    """
    name = "HTTPS_PROXY" if scheme == "https" else "HTTP_PROXY"
    value = environment.get(name) or environment.get(name.lower(), "")
    if not value or not _is_proxied(environment.get("NO_PROXY") or environment.get("no_proxy", ""), scheme, host):
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
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode("utf-8", "surrogateescape")).decode("ascii")
    secure = url.scheme == "https"
    return Proxy(url.hostname, port or (443 if secure else 80), secure, authorization)


def _is_proxied(exceptions: str, scheme: str, host: str) -> bool:
    """Whether no entry of NO_PROXY fits; this machine is never asked through a proxy."""
    name, port = host_and_port(host, scheme)
    if is_localhost(host):
        return False
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        address = None
    if address is not None and address.is_loopback:
        return False
    for entry in exceptions.lower().split(","):
        entry = entry.strip()
        if entry == "*" or (entry and _fits(entry, name, port, address)):
            return False
    return True


def _fits(entry: str, name: str, port: int, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    if "/" in entry:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
        return address is not None and address in network
    split = split_host_port(entry)
    wanted, wanted_port = split if split is not None else (entry.strip("[]"), "")
    if wanted_port and wanted_port != str(port):
        return False
    try:
        return ipaddress.ip_address(wanted) == address
    except ValueError:
        pass
    if wanted.startswith("*."):
        wanted = wanted[1:]
    if wanted.startswith("."):
        return name.endswith(wanted)
    return name == wanted or name.endswith("." + wanted)


def host_and_port(host: str, scheme: str) -> tuple[str, int]:
    """The name or address (without brackets, in lower case) and the port that a ``host[:port]`` of a URL stands for.

    :raises ValueError: where the port is no number that a port can have.
    """
    split = split_host_port(host)
    name, port = split if split is not None else (host, "")
    number = int(port) if port else 443 if scheme == "https" else 80
    if not 0 < number < 65536:
        raise ValueError(f"port {number} does not exist")
    return name.strip("[]").lower(), number
