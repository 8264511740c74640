# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts containerd will try for which registry: K3s' merge of ``mirrors`` and ``configs``.

The rules are those of ``getHostConfigs`` in k3s-io/k3s ``pkg/agent/containerd/config.go`` and of
``InjectMirror`` in ``pkg/spegel/registry.go``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .config import WILDCARD, WILDCARD_DIRECTORY
from .endpoint import EndpointError, default_host, normalise_endpoint
from .go_ip import is_localhost

if TYPE_CHECKING:
    from typing import Any, TypedDict

    from .config import Config, HostSettings, Mirror

    class HostEndpoint(TypedDict):
        """One host that containerd tries. ``auth``, ``tls`` and ``rewrites`` hold only what is set.

        ``url`` is "" for the wildcard's own registry and None if no ``server`` line is written.
        """

        url: str | None
        override_path: bool
        tls: dict[str, Any]
        auth: dict[str, str]
        rewrites: dict[str, str]

    class HostConfig(TypedDict):
        """What stands in one hosts.toml: the endpoints in order, then the default (None: there is none)."""

        default: HostEndpoint | None
        endpoints: list[HostEndpoint]


EMBEDDED_MIRROR_TLS = {"ca_file": "server-ca", "cert_file": "client-cert", "key_file": "client-key"}
"""Stand-ins for the certificates of K3s' embedded mirror, whose paths depend on the node's data directory."""


@dataclass
class MergedEndpoint:
    """An endpoint together with what decides whether K3s keeps it."""

    url: str | None
    settings: HostSettings
    override_path: bool = False
    rewrites: dict[str, str] = field(default_factory=dict)

    @property
    def has_settings(self) -> bool:
        """Anything beyond what containerd would do by itself; an empty ``auth`` or ``tls`` counts."""
        settings = self.settings
        return self.override_path or settings["auth"] is not None or settings["tls"] is not None or bool(self.rewrites)

    def as_dict(self) -> HostEndpoint:
        settings = self.settings
        auth: dict[str, Any] = dict(settings["auth"] or {})
        tls: dict[str, Any] = dict(settings["tls"] or {})
        return {
            "url": self.url,
            "override_path": self.override_path,
            "tls": {key: value for key, value in tls.items() if value},
            "auth": {key: value for key, value in auth.items() if value},
            "rewrites": dict(self.rewrites),
        }


@dataclass
class MergedHost:
    """What stands in one hosts.toml, before it is turned into text or a dict."""

    default: MergedEndpoint | None
    endpoints: list[MergedEndpoint] = field(default_factory=list)

    def as_dict(self) -> HostConfig:
        return {
            "default": self.default.as_dict() if self.default is not None else None,
            "endpoints": [endpoint.as_dict() for endpoint in self.endpoints],
        }


def host_configs(
    config: Config,
    default_endpoint: bool = True,
    embedded_mirror: str = "",
    embedded_mirror_tls: dict[str, str] | None = None,
) -> dict[str, HostConfig]:
    """The host configuration K3s generates for each registry; registries without one are absent.

    :param config: a normalised configuration.
    :param default_endpoint: false if the node sets ``disable-default-registry-endpoint``.
    :param embedded_mirror: ``host:port`` of the embedded registry mirror, such as
        ``127.0.0.1:6443``; "" if ``embedded-registry`` is off.
    :param embedded_mirror_tls: the embedded mirror's ``ca_file``, ``cert_file`` and ``key_file``;
        placeholders (:data:`EMBEDDED_MIRROR_TLS`) by default.
    :returns: directory name below ``certs.d`` (``_default`` for ``*``) to its endpoints.
    """
    hosts, _problems = merge(config, default_endpoint, embedded_mirror, embedded_mirror_tls)
    return {name: host.as_dict() for name, host in hosts.items()}


def merge(
    config: Config,
    default_endpoint: bool = True,
    embedded_mirror: str = "",
    embedded_mirror_tls: dict[str, str] | None = None,
) -> tuple[dict[str, MergedHost], list[tuple[str, str]]]:
    """:func:`host_configs`, as objects, and what K3s leaves out with a line in its log: (path, reason) for each.

    A path names the place in the configuration, such as ``mirrors.docker.io.endpoint[0]``.
    """
    mirrors, configs, injected = _with_embedded_mirror(config, embedded_mirror, embedded_mirror_tls)
    problems: list[tuple[str, str]] = []
    hosts: dict[str, MergedHost] = {}
    for name, settings in configs.items():
        try:
            url = _default_url(name, embedded_mirror)
        except EndpointError as error:
            problems.append((f"configs.{name}", str(error)))
            continue
        hosts[_directory(name)] = MergedHost(MergedEndpoint(url, settings))
    for name, mirror in mirrors.items():
        # The lookup is by the name, not by the directory, so "*" never finds its own entry in
        # configs and the wildcard's TLS settings are lost as soon as there is a wildcard mirror.
        host = hosts.get(name)
        if host is None:
            try:
                host = _host_without_settings(name, configs, default_endpoint, embedded_mirror)
            except EndpointError as error:
                problems.append((f"mirrors.{name}", str(error)))
                continue
        _add_endpoints(host, name, mirror, configs, embedded_mirror, injected.get(name, 0), problems)
        hosts[_directory(name)] = host
    kept = {
        name: host
        for name, host in hosts.items()
        if host.endpoints or (host.default is not None and host.default.has_settings)
    }
    return kept, problems


def _host_without_settings(
    name: str, configs: dict[str, HostSettings], default_endpoint: bool, embedded_mirror: str
) -> MergedHost:
    url = _default_url(name, embedded_mirror)
    if not default_endpoint:
        return MergedHost(None)
    if name == WILDCARD:
        return MergedHost(MergedEndpoint("", {"auth": None, "tls": None}))
    return MergedHost(MergedEndpoint(url, _settings_for(configs, name)))


def _add_endpoints(
    host: MergedHost,
    name: str,
    mirror: Mirror,
    configs: dict[str, HostSettings],
    embedded_mirror: str,
    injected: int,
    problems: list[tuple[str, str]],
) -> None:
    """Adds a mirror's endpoints in order, each URL once.

    ``injected`` is how many of them are K3s' own; the paths in ``problems`` count the user's only.
    """
    endpoints = mirror["endpoint"]
    seen = set()
    for index, given in enumerate(endpoints):
        path = f"mirrors.{name}.endpoint[{index - injected}]"
        try:
            endpoint = normalise_endpoint(given, embedded_mirror)
        except EndpointError as error:
            problems.append((path, str(error)))
            continue
        if endpoint.url in seen:
            problems.append((path, "duplicate endpoint"))
            continue
        seen.add(endpoint.url)
        rewrites = mirror["rewrite"] if endpoint.host != embedded_mirror else {}
        entry = MergedEndpoint(
            endpoint.url, _settings_for(configs, endpoint.registry), endpoint.override_path, rewrites
        )
        default_url = host.default.url or "" if host.default is not None else ""
        if index + 1 == len(endpoints) and default_url == endpoint.url:
            host.default = entry
        else:
            host.endpoints.append(entry)


def _with_embedded_mirror(
    config: Config, address: str, tls: dict[str, str] | None
) -> tuple[dict[str, Mirror], dict[str, HostSettings], dict[str, int]]:
    """Mirrors and configs as they are once K3s has put its embedded mirror in front of each mirror."""
    if not address:
        return config["mirrors"], config["configs"], {}
    url = f"https://{address}/v2"
    files = tls or EMBEDDED_MIRROR_TLS
    configs = dict(config["configs"])
    configs[address] = {
        "auth": None,
        "tls": {
            "ca_file": files["ca_file"],
            "cert_file": files["cert_file"],
            "key_file": files["key_file"],
            "insecure_skip_verify": False,
        },
    }
    mirrors: dict[str, Mirror] = {}
    injected: dict[str, int] = {}
    for name, mirror in config["mirrors"].items():
        if is_localhost(name):
            mirrors[name] = mirror
        else:
            mirrors[name] = {"endpoint": [url] + mirror["endpoint"], "rewrite": mirror["rewrite"]}
            injected[name] = 1
    mirrors[address] = {"endpoint": [url], "rewrite": {}}
    injected[address] = 1
    return mirrors, configs, injected


def _default_url(name: str, embedded_mirror: str) -> str | None:
    url = normalise_endpoint(name, embedded_mirror).url
    return None if name == WILDCARD else url


def _settings_for(configs: dict[str, HostSettings], registry: str) -> HostSettings:
    """``configs`` for a registry: the host that serves it counts before its name."""
    host = default_host(registry)
    if host != registry and host in configs:
        return configs[host]
    return configs.get(registry, {"auth": None, "tls": None})


def _directory(name: str) -> str:
    return WILDCARD_DIRECTORY if name == WILDCARD else name
