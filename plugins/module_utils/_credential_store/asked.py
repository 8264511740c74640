# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom containerd asks for the images of a registry, and with which credentials of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.in_force import InForce, in_force
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import (
    Host,
    directory_for,
    hosts_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import (
    WILDCARD_DIRECTORY,
    EndpointError,
    normalise_endpoint,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import credential_keys

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.host_configs import MergedHost


def hosts_asked(registry: str, merged: Mapping[str, MergedHost]) -> list[Host]:
    """The hosts for every image of a registry, in order: a rewrite changes the repository, never the host.

    :param merged: what K3s makes of a configuration.
    :raises HostsFileError: if containerd cannot read the hosts.toml, and so asks the registry itself.
    """
    directory = directory_for(registry, merged)
    return hosts_of(registry, merged[directory] if directory is not None else None)


def wildcard_hosts(merged: Mapping[str, MergedHost]) -> list[str]:
    """The hosts that registries without an entry of their own are asked at, before themselves."""
    wildcard = merged.get(WILDCARD_DIRECTORY)
    return [host_of(endpoint.url or "") for endpoint in wildcard.endpoints] if wildcard is not None else []


def host_of(endpoint: str) -> str:
    """The ``host[:port]`` of an endpoint, "" for one that K3s ignores."""
    try:
        return normalise_endpoint(endpoint).host
    except EndpointError:
        return ""


def credentials_for(host: str, config: Config) -> tuple[str, InForce | None]:
    """The key under ``configs`` whose credentials containerd has for a host, "" if it has none; and what it sends of
    them, None if that is nothing."""
    for key in credential_keys(host):
        settings = config["configs"].get(key)
        auth = settings["auth"] if settings is not None else None
        if auth is not None:
            return (key, in_force(auth)) if any(auth.values()) else ("", None)
    return "", None
