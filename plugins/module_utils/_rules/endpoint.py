# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What K3s makes of an endpoint or registry name (``normalizeEndpointAddress``).

Source: k3s-io/k3s ``pkg/agent/containerd/config.go``; ``DefaultHost`` and ``IsLocalhost`` are
containerd's, ``core/remotes/docker/resolver.go``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .config import DOCKER_HUB, DOCKER_HUB_HOST, WILDCARD, WILDCARD_DIRECTORY
from .go_ip import is_localhost
from .go_text import from_go_bytes
from .go_url import GoUrlError, parse

_WITH_PORT = re.compile(r"(.+)_(\d+)_")

EndpointError = GoUrlError
"""K3s ignores this endpoint, because Go cannot parse it; the message is Go's own."""


class Endpoint(NamedTuple):
    """One endpoint as K3s writes it.

    :ivar registry: the name under which K3s looks for it in ``configs`` (``host[:port]``, and
        ``docker.io`` for Docker Hub's own host).
    :ivar url: the URL in hosts.toml.
    :ivar scheme: ``https`` or ``http``, or whatever scheme the user wrote.
    :ivar host: the host and port of the URL, decoded.
    :ivar path: the path of the URL, decoded.
    :ivar override_path: the path is used verbatim; false when it is ``/v2``, written or implied.
    """

    registry: str
    url: str
    scheme: str
    host: str
    path: str
    override_path: bool


def registry_of(directory: str) -> str:
    """The registry, or the wildcard, whose hosts.toml is in this directory below ``certs.d``."""
    if directory == WILDCARD_DIRECTORY:
        return WILDCARD
    with_port = _WITH_PORT.fullmatch(directory)
    return ":".join(with_port.groups()) if with_port else directory


def default_host(registry: str) -> str:
    """The host that serves a registry when nothing is configured: Docker Hub's differs from its name."""
    return DOCKER_HUB_HOST if registry == DOCKER_HUB else registry


def normalise_endpoint(endpoint: str, embedded_mirror: str = "") -> Endpoint:
    """K3s' reading of an endpoint, or of a registry name as the endpoint of last resort.

    Without a scheme it is https, except for this machine on a port other than 443, which is http
    unless it is the embedded mirror. The paths "", "/" and "/v2" mean the default one; any other is
    kept and overrides it.

    :param endpoint: what stands in ``endpoint:``, or a key of ``mirrors`` or ``configs``.
    :param embedded_mirror: ``host:port`` of the embedded registry mirror, "" if it is off.
    :raises EndpointError: if Go's ``url.Parse`` refuses it.
    """
    url = parse(endpoint if "://" in endpoint else "//" + endpoint)
    given_host = from_go_bytes(url.host)
    port = url.port()
    if not url.scheme:
        local = port not in {"", "443"} and given_host != embedded_mirror and is_localhost(given_host)
        url.scheme = "http" if local else "https"
    host = given_host
    registry = given_host
    if given_host == DOCKER_HUB:
        host = url.host = DOCKER_HUB_HOST
    elif given_host == DOCKER_HUB_HOST:
        registry = DOCKER_HUB
    override_path = url.path not in {"", "/", "/v2"}
    if not override_path:
        url.path = "/v2"
    return Endpoint(registry, from_go_bytes(str(url)), url.scheme, host, from_go_bytes(url.path), override_path)
