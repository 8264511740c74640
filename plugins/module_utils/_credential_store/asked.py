# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom containerd asks for the images of a registry, and with which credentials of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.in_force import InForce, in_force
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import (
    DOCKER_HUB,
    DOCKER_HUB_HOST,
    WILDCARD_DIRECTORY,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import (
    Host,
    directory_for,
    hosts_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import (
    EndpointError,
    normalise_endpoint,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import credential_keys

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.host_configs import MergedHost


def registries_named(config: Config, more: Iterable[str] = ()) -> list[str]:
    """The registries that a configuration says something about, as it stands in mirrors and configs: Docker Hub's host
    has names of its own there.

    :param more: keys of ``configs`` that count too.
    """
    names = dict.fromkeys([*config["mirrors"], *config["configs"], *more])
    if any(name in names for name in credential_keys(DOCKER_HUB_HOST)):
        names.setdefault(DOCKER_HUB)
    return list(names)


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
