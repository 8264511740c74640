# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credential providers the kubelet of a node has, and for which registries it asks them."""

from __future__ import annotations

from typing import Container, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.generations import (
    GenerationDamaged,
    Generations,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

from . import match_images, staging
from .provider import Provider


class Known(NamedTuple):
    """The providers of a node. ``problem`` says why they cannot be told, "" if they can."""

    providers: tuple[Provider, ...]
    problem: str


def known(paths: NodePaths) -> Known:
    """The providers that the kubelet is configured with on this node."""
    text = staging.content(paths)
    if text is None:
        return Known((), "")
    if not staging.is_ours(text):
        return Known((), "%s was not written by this collection, and its providers are not checked" % (
            paths.provider_config
        ))  # fmt: skip
    try:
        state = Generations(paths).desired(int(Memory(paths).record()["generation"]))
    except GenerationDamaged:
        return Known((), "what the collection has put into %s cannot be told any more" % paths.provider_config)
    if not any(item.path == paths.provider_config and item.content == text for item in state.files):
        return Known((), "%s was edited, and its providers are not checked" % paths.provider_config)
    return Known(state.on_node, "")


def is_for(provider: Provider, registry: str) -> bool:
    """Whether the kubelet may ask this provider for an image of the registry, as images name that."""
    return any(match_images.matches(pattern.partition("/")[0], registry) for pattern in provider.match_images)


def is_for_others(provider: Provider, registries: Container[str]) -> bool:
    """Whether it may ask it for an image of another registry than these."""
    hosts = [pattern.partition("/")[0] for pattern in provider.match_images]
    return any("*" in host or host not in registries for host in hosts)
