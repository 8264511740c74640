# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated configurations: of each only its seed need be known to make it again."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC = ("docker.io", "quay.io", "ghcr.io", "registry.example.com:5000", "cache.example.com")
"""Hosts whose certificates containerd trusts without being told to."""

PRIVATE = ("harbor.internal.example", "nexus.internal.example:8443")
"""Hosts whose certificates are a private authority's."""

_PATHS = ("", "", "/", "/v2", "/v2/", "/project", "/v2/project", "/a/b/", "/v2/a/", "/v1")
_REPOSITORIES = ("nginx", "library/nginx", "rancher/mirrored-pause", "team/sub/app", "a-b/c_d/e.f")
_REFERENCES = ("", ":1.27", ":v1.0_rc-2", "@sha256:" + "ab" * 32, ":3.6@sha256:" + "0c" * 32)
_REWRITES = (
    ("^rancher/(.*)", "mirror/rancher-images/$1"),
    ("^library/(.*)$", "hub/$1"),
    ("n", "m"),
    ("^team/([^/]+)/(?P<rest>.*)", "${rest}/$1"),
    ("^none/", "unused/"),
)


class Ports(NamedTuple):
    """Of the registries on this machine: two over http, two over https."""

    http: tuple[int, int]
    https: tuple[int, int]


class Files(NamedTuple):
    """On the node: the private authority's certificate, and a client's with its key."""

    ca: Path
    cert: Path
    key: Path


class Case(NamedTuple):
    """A configuration, the node's setting, and the image that is pulled."""

    seed: int
    config: dict[str, Any]
    default_endpoint: bool
    image: str


def make_case(seed: int, ports: Ports, files: Files, rewrites: bool) -> Case:
    """The configuration of a seed. rewrites: whether the containerd knows them."""
    return _Maker(seed, ports, files, rewrites).case()


class _Maker:
    def __init__(self, seed: int, ports: Ports, files: Files, rewrites: bool) -> None:
        self._random = random.Random(seed)
        self._seed = seed
        self._ports = ports
        self._files = files
        self._rewrites = rewrites

    def case(self) -> Case:
        registry = self._registry()
        mirrors: dict[str, Any] = {}
        if self._chance(0.85):
            mirrors[registry] = self._mirror()
        if self._chance(0.4):
            mirrors["*"] = self._mirror()
        if self._chance(0.3):
            mirrors.setdefault(self._registry(), self._mirror())
        hosts = [_host_of(endpoint) for mirror in mirrors.values() for endpoint in mirror["endpoint"]]
        configs = {host: self._settings(host) for host in dict.fromkeys(hosts) if self._chance(0.6)}
        if self._chance(0.25):
            configs.setdefault(registry, self._settings(registry))
        default_endpoint = self._chance(0.7)
        return Case(self._seed, {"mirrors": mirrors, "configs": configs}, default_endpoint, self._image(registry))

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _registry(self) -> str:
        """A registry as it stands in the name of an image."""
        kind = self._random.random()
        if kind < 0.35:
            return "docker.io"
        if kind < 0.65:
            return self._random.choice(PUBLIC)
        if kind < 0.8:
            return self._random.choice(PRIVATE)
        return self._local(self._random.choice(self._ports.http + self._ports.https))

    def _local(self, port: int) -> str:
        return f"{self._random.choice(('localhost', '127.0.0.1'))}:{port}"

    def _mirror(self) -> dict[str, Any]:
        count = self._random.choice((0, 1, 1, 2, 2, 3, 4))
        mirror: dict[str, Any] = {"endpoint": [self._endpoint() for _number in range(count)]}
        if self._rewrites and self._chance(0.4):
            mirror["rewrite"] = dict([self._random.choice(_REWRITES)])
        return mirror

    def _endpoint(self) -> str:
        kind = self._random.random()
        if kind < 0.3:
            host, scheme = self._local(self._random.choice(self._ports.http)), "http"
        elif kind < 0.6:
            host, scheme = self._local(self._random.choice(self._ports.https)), "https"
        elif kind < 0.75:
            # Another port than that of the same host over https: what settings apply stays unambiguous.
            host, scheme = self._random.choice(("plain.example.com:8080", "plain.internal.example:80")), "http"
        else:
            host, scheme = self._random.choice(PUBLIC[1:] + PRIVATE), "https"
        if self._chance(0.15):
            return host
        return f"{scheme}://{host}{self._random.choice(_PATHS)}"

    def _settings(self, host: str) -> dict[str, Any] | None:
        if host.startswith("plain.") or self._chance(0.1):
            return None
        tls: dict[str, Any] = {}
        if self._chance(0.7):
            tls["ca_file"] = str(self._files.ca)
        if self._chance(0.4):
            tls.update(cert_file=str(self._files.cert), key_file=str(self._files.key))
        if self._chance(0.15):
            tls["insecure_skip_verify"] = True
        return {"tls": tls} if tls else {}

    def _image(self, registry: str) -> str:
        name = self._random.choice(_REPOSITORIES) + self._random.choice(_REFERENCES)
        if registry == "docker.io" and self._chance(0.5):
            return name
        return f"{registry}/{name}"


def _host_of(endpoint: str) -> str:
    return endpoint.partition("://")[2].partition("/")[0] if "://" in endpoint else endpoint.partition("/")[0]
