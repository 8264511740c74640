# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether new credentials are in force as soon as the store holds them, or something still uses what containerd has.

containerd reads its own copy at its start only. It uses that for every pull that comes without credentials: those of
registries that are not stored, of the pause image and of ``crictl``. If one of those reaches a host whose credentials
have changed, the old password would still be tried there, and accounts are locked for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import WILDCARD
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import (
    HostsFileError,
    hosts_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.host_configs import merge
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import credential_keys

from .asked import (
    hosts_asked,
    registries_named,
    wildcard_hosts,
)
from .proof import Surroundings

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import AuthTables
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.host_configs import MergedHost


def changed_keys(loaded: AuthTables, wanted: AuthTables) -> frozenset[str]:
    """The keys of ``configs`` whose credentials containerd has not read as they are wanted: new ones, others, and those
    that it should have no more."""
    return frozenset(key for key in {*loaded, *wanted} if loaded.get(key) != wanted.get(key))


def doubts(
    loaded: AuthTables,
    wanted: AuthTables,
    config: Config,
    stored: Sequence[str],
    around: Surroundings,
    images_without_pods: Iterable[str] = (),
) -> list[str]:
    """Why new credentials take a restart although the store holds them, as sentences; empty if it takes none.

    :param loaded: what containerd has read at its start, and ``wanted``: what it will read at the next one.
    :param config: the wanted configuration, normalised.
    :param stored: the registries whose credentials the kubelet hands out, by a configuration that it has loaded.
    :param images_without_pods: what the node pulls by itself, without the kubelet's credentials: the pause image.
    """
    changed = changed_keys(loaded, wanted)
    if not changed:
        return []
    found = []
    merged = merge(config, around.default_endpoint, around.embedded_mirror)[0]
    # The changed hosts too: an image can bear their own names.
    for registry in registries_named(config, sorted(changed)):
        if registry in stored:
            continue
        hosts = _reached(registry, merged, changed)
        if hosts:
            found.append(
                "images of %s are asked for at %s with what containerd read at its start"
                % ("all other registries" if registry == WILDCARD else registry, hosts[0])
            )
    for image in images_without_pods:
        hosts = _reached(_registry_of(image), merged, changed)
        if hosts:
            found.append(
                "%s is pulled without the kubelet's credentials, from %s with what containerd read at its start"
                % (image, hosts[0])
            )
    return found


def _reached(registry: str, merged: Mapping[str, MergedHost], changed: frozenset[str]) -> list[str]:
    """The hosts with changed credentials that are asked for a registry's images."""
    return [host for host in _hosts(registry, merged) if changed & {*credential_keys(host)}]


def _hosts(registry: str, merged: Mapping[str, MergedHost]) -> list[str]:
    if registry == WILDCARD:
        return wildcard_hosts(merged)
    try:
        return [host.host for host in hosts_asked(registry, merged)]
    except HostsFileError:
        return [host.host for host in hosts_of(registry, None)]


def _registry_of(image: str) -> str:
    try:
        return parse_image(image).registry
    except ImageError:
        return ""
