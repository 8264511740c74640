# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From registries.yaml to hosts.toml: K3s' `getHostConfigs` and its template.

https://github.com/k3s-io/k3s/blob/master/pkg/agent/containerd/config.go
https://github.com/k3s-io/k3s/blob/master/pkg/agent/templates/templates.go
"""

from __future__ import annotations

import copy
import ipaddress
from typing import Any, Callable

from stand_in import go_url
from stand_in.go_url import quote

Log = Callable[[str, str], None]
# What K3s makes of "no host, no port", where there is no embedded registry.
NO_MIRROR = ":"


class Endpoint:
    """One place to pull from. ``url`` None: no URL at all (a wildcard's configs entry); "": an empty one."""

    def __init__(self, url: str | None, host: str, config: dict[str, Any], override: bool = False) -> None:
        self.url = url
        self.host = host
        self.config = config
        self.override = override
        self.rewrites: dict[str, str] = {}

    @property
    def says_something(self) -> bool:
        return bool(
            self.override or self.config.get("auth") is not None or self.config.get("tls") is not None or self.rewrites
        )


class Host:
    def __init__(self, default: Endpoint | None) -> None:
        self.default = default
        self.endpoints: list[Endpoint] = []


def is_localhost(host: str) -> bool:
    name = host
    if host.startswith("["):
        name = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        name = host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _containerd_host(host: str) -> str:
    return "registry-1.docker.io" if host == "docker.io" else host


def _normalise(address: str, mirror: str) -> tuple[str, go_url.URL, bool]:
    url = go_url.parse(address if "://" in address else "//" + address)
    if not url.scheme:
        port = url.port
        plain = is_localhost(url.host) and port not in ("", "443") and url.host != mirror
        url.scheme = "http" if plain else "https"
    registry = url.host
    url.host = _containerd_host(registry)
    if url.host == "registry-1.docker.io":
        registry = "docker.io"
    override = url.path not in ("", "/", "/v2")
    if not override:
        url.set_path("/v2")
    return registry, url, override


def _config_for(configs: dict[str, Any], host: str) -> dict[str, Any]:
    other = _containerd_host(host)
    if other != host and other in configs:
        return dict(configs[other])
    return dict(configs.get(host) or {})


def inject_embedded_mirror(registry: dict[str, Any], mirror: str, ca: str, cert: str, key: str) -> dict[str, Any]:
    """What an embedded registry at ``mirror`` adds, https://docs.k3s.io/installation/registry-mirror."""
    registry = copy.deepcopy(registry)
    url = "https://%s/v2" % mirror
    tls = {"ca_file": ca, "cert_file": cert, "key_file": key, "insecure_skip_verify": False}
    registry["configs"][mirror] = {"auth": None, "tls": tls}
    for host, entry in registry["mirrors"].items():
        if not is_localhost(host):
            entry["endpoint"] = [url, *entry["endpoint"]]
    registry["mirrors"][mirror] = {"endpoint": [url], "rewrite": {}}
    return registry


def host_configs(
    registry: dict[str, Any], default_endpoint: bool, log: Log, mirror: str = NO_MIRROR
) -> dict[str, Host]:
    """The hosts that get a hosts.toml; "*" has become `_default`. ``mirror``: where the embedded registry is."""
    configs = registry["configs"]
    hosts: dict[str, Host] = {}
    for name, config in configs.items():
        host = _default_host(name, config, mirror, log)
        if host is not None:
            hosts["_default" if name == "*" else name] = host
    for name, entry in registry["mirrors"].items():
        known = hosts.get(name)
        if known is None:
            known = _default_host(name, _config_for(configs, name), mirror, log)
            if known is None:
                continue
            if not default_endpoint:
                known.default = None
            elif name == "*":
                known.default = Endpoint("", "", {})
        _add_endpoints(known, name, entry, configs, mirror, log)
        hosts["_default" if name == "*" else name] = known
    return {
        name: host
        for name, host in hosts.items()
        if host.endpoints or (host.default is not None and host.default.says_something)
    }


def _default_host(name: str, config: dict[str, Any], mirror: str, log: Log) -> Host | None:
    try:
        _unused, url, _unused = _normalise(name, mirror)
    except go_url.URLError as error:
        log(
            "error",
            "Failed to generate config for registry %s: invalid endpoint URL %s for %s: %s" % (name, name, name, error),
        )
        return None
    return Host(Endpoint(None if name == "*" else str(url), url.host, config))


def _add_endpoints(
    host: Host, name: str, entry: dict[str, Any], configs: dict[str, Any], mirror: str, log: Log
) -> None:
    seen = set()
    for number, address in enumerate(entry["endpoint"]):
        try:
            registry, url, override = _normalise(address, mirror)
        except go_url.URLError as error:
            log("warning", "Ignoring invalid endpoint URL %d=%s for %s: %s" % (number, address, name, error))
            continue
        text = str(url)
        if text in seen:
            log("warning", "Skipping duplicate endpoint URL %d=%s for %s" % (number, address, name))
            continue
        seen.add(text)
        endpoint = Endpoint(text, url.host, _config_for(configs, registry), override)
        if url.host != mirror:
            endpoint.rewrites = dict(entry["rewrite"])
        default = (host.default.url or "") if host.default is not None else ""
        if number + 1 == len(entry["endpoint"]) and default == text:
            host.default = endpoint
        else:
            host.endpoints.append(endpoint)


def hosts_toml(host: Host, program: str) -> str:
    """The text of one hosts.toml, as K3s writes it for ``program`` (k3s or rke2)."""
    lines = ["# File generated by %s. DO NOT EDIT." % program]
    if host.default is not None:
        if host.default.url is not None:
            lines += ['server = "%s"' % host.default.url, 'capabilities = ["pull", "resolve", "push"]']
        lines += _tls_lines(host.default, "")
    lines += ["", "[host]"]
    for endpoint in host.endpoints:
        lines += ["", '[host."%s"]' % endpoint.url, '  capabilities = ["pull", "resolve"]']
        if endpoint.override:
            lines.append("  override_path = true")
        lines += _tls_lines(endpoint, "  ")
        if endpoint.rewrites:
            lines.append('  [host."%s".rewrite]' % endpoint.url)
            lines += ['    "%s" = "%s"' % pair for pair in sorted(endpoint.rewrites.items())]
    return "".join(line + "\n" for line in lines)


def _tls_lines(endpoint: Endpoint, indent: str) -> list[str]:
    tls = endpoint.config.get("tls")
    if tls is None:
        return []
    lines = []
    if tls["ca_file"]:
        lines.append("%sca = [%s]" % (indent, quote(tls["ca_file"])))
    if tls["cert_file"] or tls["key_file"]:
        lines.append("%sclient = [[%s, %s]]" % (indent, quote(tls["cert_file"]), quote(tls["key_file"])))
    if tls["insecure_skip_verify"]:
        lines.append(indent + "skip_verify = true")
    return lines
