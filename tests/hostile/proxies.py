# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies: honest ones, and ones that are not what they say."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.server import Answer, App, Forward, Impersonate, Request, Tunnel
from tests.registry_faults.servers import Reply


def honest(hostile: Neighbourhood) -> App:
    """Tunnels and forwards to the hosts of this network."""

    def app(request: Request) -> Answer:
        if request.method == "CONNECT":
            address = hostile.address_of(request.target)
            return Tunnel(address) if address is not None else Reply(502)
        url = urlsplit(request.target)
        address = hostile.address_of(url.netloc, "http")
        if address is None:
            return Reply(502)
        path = (url.path or "/") + ("?" + url.query if url.query else "")
        lines = [f"{request.method} {path} HTTP/1.1".encode()]
        for line in request.head.split(b"\r\n")[1:-2]:
            if not line.lower().startswith((b"proxy-", b"connection:")):
                lines.append(line)
        return Forward(address, b"\r\n".join([*lines, b"Connection: close", b"", b""]) + request.body)

    return app


def wanting(header: str, inner: App) -> App:
    """407 until this ``Proxy-Authorization`` comes."""

    def app(request: Request) -> Answer:
        if request.headers.get("proxy-authorization") == header:
            return inner(request)
        return Reply(407, {"Proxy-Authenticate": 'Basic realm="proxy"'})

    return app


def impersonating(app: App, context: ssl.SSLContext | None) -> App:
    """Says that the tunnel is there and answers itself: with a certificate of its own, or in clear."""
    return lambda request: Impersonate(app, context) if request.method == "CONNECT" else app(request)


def answering(status: int, **headers: str) -> App:
    """Answers every CONNECT with this: a challenge, a redirect, a page."""
    return lambda _request: Reply(status, headers, b"<html>")
