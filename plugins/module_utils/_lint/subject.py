# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks look at: the configuration as K3s keeps it, its endpoints parsed once, and what else is known."""

from __future__ import annotations

import re
from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import (
    DOCKER_HUB,
    DOCKER_HUB_HOST,
    WILDCARD,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import (
    Endpoint,
    EndpointError,
    normalise_endpoint,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import Release

from . import placeholders
from .naming import path
from .node_facts import NodeFacts


def without_port(host: str) -> str:
    """A host without its port."""
    return re.sub(r":\d*\Z", "", host)


def _names_of(host: str) -> tuple[str, ...]:
    """The registries that an entry of `configs` under this host is for."""
    return (host, DOCKER_HUB) if host == DOCKER_HUB_HOST else (host,)


class Listed:
    """One item of an endpoint list.

    `endpoint` is None if K3s ignores it, `problem` then says why, or if it holds a placeholder (`is_open`), so that
    its value is unknown.
    """

    __slots__ = ("endpoint", "index", "is_open", "mirror", "problem", "text")

    def __init__(self, mirror: str, index: int, text: str, embedded_mirror: str) -> None:
        self.mirror = mirror
        self.index = index
        self.text = text
        self.endpoint: Endpoint | None = None
        self.problem = ""
        self.is_open = placeholders.in_name(text)
        if self.is_open:
            return
        try:
            self.endpoint = normalise_endpoint(text, embedded_mirror)
        except EndpointError as error:
            self.problem = str(error)

    @property
    def path(self) -> str:
        return path("mirrors", self.mirror, "endpoint", self.index)


class Subject:
    """The configuration and everything known beside it.

    `config` has the shape of `_rules.config.Config`. `shipped` holds the collection's own keys under `tls`, by host.
    `release` is None if it is not known.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        shipped: Mapping[str, Mapping[str, str]],
        nodes: NodeFacts,
        release: Release | None,
    ) -> None:
        self.mirrors: dict[str, dict[str, Any]] = config["mirrors"]
        self.configs: dict[str, dict[str, Any]] = config["configs"]
        self.shipped = shipped
        self.default_endpoint = nodes.default_endpoint
        self.embedded_mirror = nodes.embedded_mirror
        self.nodes = nodes
        self.release = release
        self._defaults: dict[str, Endpoint | EndpointError] = {}
        #: Compiled rewrite patterns, filled by the first check that needs them.
        self.patterns: dict[str, Any] | None = None
        self.endpoints: list[Listed] = [
            Listed(name, index, text, nodes.embedded_mirror)
            for name, mirror in self.mirrors.items()
            for index, text in enumerate(mirror["endpoint"])
        ]
        #: Whether an endpoint is a placeholder, so that any entry of `configs` may be meant for it.
        self.has_open_endpoints = any(listed.is_open for listed in self.endpoints)
        self.endpoint_hosts: dict[str, list[Endpoint]] = {}
        #: The items of each mirror's list.
        self.by_mirror: dict[str, list[Listed]] = {}
        for listed in self.endpoints:
            self.by_mirror.setdefault(listed.mirror, []).append(listed)
            if listed.endpoint is not None:
                self.endpoint_hosts.setdefault(listed.endpoint.registry, []).append(listed.endpoint)
        self._without_port: dict[str, list[str]] = {}
        for host in self.endpoint_hosts:
            self._without_port.setdefault(without_port(host.lower()), []).append(host)

    def nearly(self, name: str) -> list[str]:
        """The endpoints' hosts without an entry of their own that differ from a key of `configs` only by port or case.

        The name of a mirror reaches the default endpoint of that mirror, which is another matter.
        """
        if name in self.mirrors or name in self.endpoint_hosts:
            return []
        return [host for host in self._without_port.get(without_port(name.lower()), []) if host not in self.configs]

    def default_url(self, registry: str) -> str:
        """The URL of the endpoint that containerd tries last for a registry, "" if K3s cannot name it."""
        if registry == WILDCARD:
            return ""
        default = self.default(registry)
        return "" if isinstance(default, EndpointError) else default.url

    def default(self, registry: str) -> Endpoint | EndpointError:
        """The default endpoint of a registry, or Go's reason why K3s cannot name it."""
        if registry not in self._defaults:
            try:
                self._defaults[registry] = normalise_endpoint(registry, self.embedded_mirror)
            except EndpointError as error:
                self._defaults[registry] = error
        return self._defaults[registry]

    def is_used(self, host: str) -> bool:
        """Whether an entry of `configs` with this key applies to an endpoint or to a mirrored registry."""
        return any(name in self.mirrors or name in self.endpoint_hosts for name in _names_of(host))

    def plain_url(self, host: str) -> str:
        """The first endpoint that is asked over http with the entry of this key, "" if none is."""
        found = (item for name in _names_of(host) for item in self.endpoint_hosts.get(name, ()))
        return next((item.url for item in found if item.scheme == "http"), "")

    def tls_value(self, host: str, key: str) -> str:
        """A file of `tls` as written under K3s' key or one of ours, "" if there is none."""
        tls = self.configs[host]["tls"] or {}
        stem = key.rpartition("_")[0]
        shipped = self.shipped.get(host, {})
        return str(tls.get(key) or shipped.get(f"{stem}_src") or shipped.get(f"{stem}_content") or "")

    def has_tls(self, host: str) -> bool:
        """Whether TLS settings are given that mean something: a file, or no verification."""
        tls = self.configs.get(host, {}).get("tls")
        if tls is None:
            return False
        return bool(tls["insecure_skip_verify"]) or any(
            self.tls_value(host, key) for key in ("ca_file", "cert_file", "key_file")
        )

    def has_auth(self, host: str) -> bool:
        """Whether any credentials are given."""
        auth = self.configs.get(host, {}).get("auth")
        return bool(auth and any(auth.values()))
