# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registries configuration that a node's containerd really has: certs.d and the credentials in config.toml.

That is what K3s generated at its last start and what anyone has changed since, on nodes of this collection and others.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import TYPE_CHECKING, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import regular_only
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import is_embedded
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import WILDCARD, WILDCARD_DIRECTORY
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import (
    AuthTableError,
    auth_tables,
    read_auth_tables,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import (
    Host,
    directory_for,
    hosts_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import registry_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import credential_keys

from .hosts_file import RegistryHosts, hosts_from, hosts_in

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


class Credentials(NamedTuple):
    """What containerd sends: a user with a password, or a refresh token without a user. ``key``: of ``configs``."""

    username: str
    secret: str
    key: str


class CredentialsError(ValueError):
    """containerd cannot use what is configured."""


class NodeHosts:
    """Which hosts are asked for which registry, with which credentials.

    :ivar directories: the names below certs.d, or those that K3s would make of a configuration.
    :ivar auth_readable: false if config.toml is not as K3s' own templates write it.
    """

    def __init__(self, certs_d: str, auth: Mapping[str, Mapping[str, str]], auth_readable: bool = True) -> None:
        self._certs_d = certs_d
        self.auth = auth
        self.auth_readable = auth_readable
        self._cache: dict[tuple[str, str], RegistryHosts] = {}
        self.directories = self._directories()

    def _directories(self) -> list[str]:
        found = []
        for folder, folders, names in os.walk(self._certs_d):
            folders.sort()
            name = os.path.relpath(folder, self._certs_d)
            if name != "." and (names or not folders):
                found.append(name)
        return found

    def registries(self) -> list[str]:
        """The registries that have settings of their own, ``*`` for the wildcard's."""
        return list(dict.fromkeys(registry_of(name) for name in self.directories))

    def hosts(self, registry: str) -> RegistryHosts:
        """The hosts that containerd asks for images of a registry (``*``: of any without settings of its own)."""
        name = WILDCARD_DIRECTORY if registry == WILDCARD else directory_for(registry, dict.fromkeys(self.directories))
        if name is None:
            return RegistryHosts(hosts_of(registry, None), "", "")
        key = (name, registry)
        if key not in self._cache:
            self._cache[key] = self._read(name, registry)
        return self._cache[key]

    def headers(self) -> list[str]:
        """The values of ``Authorization`` that any hosts.toml has containerd send."""
        hosts = [host for registry in self.registries() for host in self.hosts(registry).hosts]
        return list(dict.fromkeys(host.header for host in hosts if host.header))

    def is_embedded(self, host: Host) -> bool:
        """Whether a host is K3s' embedded registry."""
        return is_embedded(host.host, [certificate for certificate, _key in host.tls.get("client_pairs", ())])

    def _read(self, directory: str, registry: str) -> RegistryHosts:
        return hosts_in(os.path.join(self._certs_d, directory), registry)

    def credentials(self, host: str) -> Credentials | None:
        """What containerd sends to a host that asks, by the precedence of its ``ParseAuth``; None if nothing.

        :raises CredentialsError: if it cannot decode them, and fails the pull.
        """
        for key in credential_keys(host):
            if key in self.auth:
                return _parsed(self.auth[key], key)
        return None


class PlannedHosts(NodeHosts):
    """The same from a configuration that a node may not have yet: what K3s will generate from it."""

    def __init__(
        self, config: Config, default_endpoint: bool = True, embedded_mirror: str = "", certs_d: str = "/certs.d"
    ) -> None:
        self._texts = hosts_toml(config, default_endpoint, embedded_mirror)
        self._embedded_mirror = embedded_mirror
        super().__init__(certs_d, auth_tables(config))

    def _directories(self) -> list[str]:
        return sorted(self._texts)

    def is_embedded(self, host: Host) -> bool:
        return host.host == self._embedded_mirror

    def _read(self, directory: str, registry: str) -> RegistryHosts:
        folder = os.path.join(self._certs_d, directory)
        return hosts_from(self._texts[directory].encode("utf-8", "surrogateescape"), folder, registry)


def read_node(certs_d: str, config_toml: str) -> NodeHosts:
    """What is there; a folder or file that is not there is an empty configuration.

    :param certs_d: the folder with one folder per registry.
    :param config_toml: containerd's configuration.
    :raises OSError: if the configuration is there and cannot be read.
    """
    try:
        with open(config_toml, encoding="utf-8", errors="replace", opener=regular_only) as file:
            text = file.read()
    except FileNotFoundError:
        text = ""
    try:
        return NodeHosts(certs_d, read_auth_tables(text))
    except AuthTableError:
        return NodeHosts(certs_d, {}, auth_readable=False)


def _parsed(auth: Mapping[str, str], key: str) -> Credentials | None:
    if auth["username"]:
        return Credentials(auth["username"], auth["password"], key)
    if auth["identitytoken"]:
        return Credentials("", auth["identitytoken"], key)
    if not auth["auth"]:
        return None
    try:
        decoded = base64.b64decode(auth["auth"], validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        raise CredentialsError(f'configs."{key}".auth.auth is not base64') from None
    username, colon, secret = decoded.partition(":")
    if not colon:
        raise CredentialsError(f'configs."{key}".auth.auth is not the base64 of user:password')
    return Credentials(username, secret.strip("\x00"), key)
