# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis asks of the node's registries configuration.

Tolerant of anything: a configuration that K3s would refuse is one reason for a failing pull, so it must not be one
for a failing diagnosis.
"""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import (
    on_loopback,
    usual_addresses,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import known_secrets
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import (
    DOCKER_HUB,
    DOCKER_HUB_HOST,
    WILDCARD,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import (
    EndpointError,
    normalise_endpoint,
)

from .image_names import DOCKER_HUB_HOSTS


class ConfiguredEndpoint(NamedTuple):
    """An endpoint of a mirror: as written, the host containerd asks, its scheme, the URL in hosts.toml."""

    text: str
    host: str
    scheme: str
    url: str


def _dict(value: Any) -> dict[str, Any]:
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def bare(name: str) -> str:
    """A host for comparison by eye: without scheme, path, port and case, Docker Hub's names made one."""
    host = name.split("://", 1)[-1].split("/", 1)[0].lower()
    if host in DOCKER_HUB_HOSTS:
        return DOCKER_HUB
    head, colon, port = host.rpartition(":")
    return head if colon and port.isdigit() else host


class NodeConfig:
    """A registries configuration, ``{"mirrors": {...}, "configs": {...}}``, that may lack or misspell anything.

    :ivar known: whether there is any configuration; without one nothing is concluded from what it lacks.
    :ivar secrets: the credentials in it, in every form a log could show, for redaction.
    :ivar configs_known: whether ``configs`` is part of it (hosts.toml files tell mirrors only).
    """

    def __init__(self, config: Any, secrets: Iterable[str] = ()) -> None:
        raw = _dict(config)
        self.mirrors = _dict(raw.get("mirrors"))
        self.configs = _dict(raw.get("configs"))
        self.known = bool(self.mirrors or self.configs)
        self.secrets = [*known_secrets({"mirrors": self.mirrors, "configs": self.configs}), *secrets]
        self._with_client = frozenset(map(str, raw.get("client_hosts") or ()))
        self._embedded = frozenset(map(str, raw.get("embedded_hosts") or ()))
        self.configs_known = self.known and not ("configs" in raw and raw["configs"] is None)

    def mirror_key(self, registry: str) -> str | None:
        """The key of ``mirrors`` that K3s uses for images of a registry: its own, else ``*``, else None."""
        if registry in self.mirrors:
            return registry
        return WILDCARD if WILDCARD in self.mirrors else None

    def endpoints(self, registry: str) -> list[ConfiguredEndpoint]:
        """The endpoints that are asked for images of a registry, before its default one."""
        key = self.mirror_key(registry)
        return self._endpoints(key) if key else []

    def _endpoints(self, key: str) -> list[ConfiguredEndpoint]:
        written = _dict(self.mirrors.get(key)).get("endpoint")
        found = []
        for text in written if isinstance(written, list) else [written] if isinstance(written, str) else []:
            try:
                endpoint = normalise_endpoint(str(text))
            except EndpointError:
                continue
            found.append(ConfiguredEndpoint(str(text), endpoint.host, endpoint.scheme, endpoint.url))
        return found

    def times_asked(self, registry: str, host: str) -> int:
        """How many endpoints at `host` are asked for an image of a registry, its default one included."""
        try:
            default = normalise_endpoint(registry)
        except EndpointError:
            return 0
        endpoints = self.endpoints(registry)
        if endpoints and endpoints[-1].url == default.url:
            # K3s makes one of the default endpoint and the same one as the last of the list.
            endpoints.pop()
        return [endpoint.host for endpoint in endpoints].count(host) + (default.host == host)

    def hosts(self) -> dict[str, set[str]]:
        """Each configured endpoint's host with the keys of ``mirrors`` that name it."""
        found: dict[str, set[str]] = {}
        for key in self.mirrors:
            for endpoint in self._endpoints(key):
                found.setdefault(endpoint.host, set()).add(key)
        return found

    def is_embedded(self, host: str) -> bool:
        """Whether ``host`` is K3s' embedded registry: as its hosts.toml says, else on loopback, where nobody has
        configured an endpoint. Without any configuration only the addresses that it usually has tell."""
        if host in self._embedded:
            return True
        if not self.known:
            return host in usual_addresses()
        return on_loopback(host) and host not in self.hosts()

    def near_mirror(self, registry: str) -> str | None:
        """A key of ``mirrors`` that looks like `registry` but is another, so is not used for its images."""
        return next((key for key in self.mirrors if key != registry and bare(key) == bare(registry)), None)

    def settings(self, host: str) -> tuple[str, dict[str, Any]]:
        """The key of ``configs`` that counts for a host, and its entry ({} without one)."""
        for key in (host, DOCKER_HUB if host == DOCKER_HUB_HOST else host):
            if key in self.configs:
                return key, _dict(self.configs[key])
        return host, {}

    def has_auth(self, host: str) -> bool:
        """Whether credentials are configured under the key that counts for `host`."""
        return self._has_auth(self.settings(host)[0])

    def user(self, host: str) -> str:
        """Whose credentials are configured for `host`, "" if that is not known."""
        user = _dict(self.settings(host)[1].get("auth")).get("username")
        return user if isinstance(user, str) else ""

    def _has_auth(self, key: str) -> bool:
        auth = _dict(_dict(self.configs.get(key)).get("auth"))
        return any(auth.get(name) for name in ("username", "password", "auth", "identity_token"))

    def has_client_certificate(self, host: str) -> bool:
        """Whether a client certificate is configured for `host`."""
        tls = _dict(self.settings(host)[1].get("tls"))
        return bool(tls.get("cert_file") or tls.get("key_file")) or host in self._with_client

    def has_ca(self, host: str) -> bool:
        """Whether a CA is configured for `host`."""
        return bool(_dict(self.settings(host)[1].get("tls")).get("ca_file"))

    def misplaced_auth(self, host: str, registry: str) -> str | None:
        """A key of ``configs`` whose credentials were meant for `host` but are under another name, or None."""
        with_auth = [key for key in self.configs if key != host and self._has_auth(key)]
        for key in with_auth:
            if bare(key) == bare(host):
                return key
        return next((key for key in with_auth if key in (registry, WILDCARD)), None)

    def file_setting(self, path: str) -> str | None:
        """The path in the configuration that names a file of the node, such as ``configs."x".tls.ca_file``."""
        name = path.rsplit("/", 1)[-1]
        settings = [
            (key, setting, value)
            for key in self.configs
            for setting, value in _dict(_dict(self.configs[key]).get("tls")).items()
            if setting in ("ca_file", "cert_file", "key_file") and isinstance(value, str) and value
        ]
        exact = [(key, setting) for key, setting, value in settings if value == path]
        relative = [(key, setting) for key, setting, value in settings if value[0] != "/" and value.endswith(name)]
        for key, setting in exact + relative:
            return f'configs."{key}".tls.{setting}'
        return None

    def half_pair(self) -> str | None:
        """The setting that is missing if a client certificate has no key, or the reverse."""
        for key in self.configs:
            tls = _dict(_dict(self.configs[key]).get("tls"))
            if bool(tls.get("cert_file")) != bool(tls.get("key_file")):
                return f'configs."{key}".tls.{"key_file" if tls.get("cert_file") else "cert_file"}'
        return None
