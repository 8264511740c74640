# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's identity from the parameters that the modules of this collection share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths, node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceProblem

from .contradictions import sentence
from .identity import Identity, Stated, find


class Contradicted(Exception):
    """The node is not what was stated; nothing has been touched. ``contradictions`` has them as dicts."""

    def __init__(self, node: Identity) -> None:
        self.contradictions = [item._asdict() for item in node.contradictions]
        super().__init__("; ".join(sentence(item) for item in self.contradictions))


def identify(parameters: Mapping[str, Any]) -> Identity:
    """What this node is.

    :raises Unsafe: for a path that must not be used.
    :raises ServiceProblem: if the init system does not answer.
    """
    names = ("distribution", "node_role", "service", "config_dir", "data_dir", "cert_dir", "registries_file")
    stated = Stated(*(parameters.get(name) or "" for name in names))
    return find(stated, read=parameters.get("settings_read") or None)


def confirmed(node: Identity) -> Identity:
    """The same, if nothing contradicts what was stated.

    :raises Contradicted: if something does.
    """
    if node.contradictions:
        raise Contradicted(node)
    return node


def places(parameters: Mapping[str, Any]) -> NodePaths:
    """Where this node has its files, for what only looks: what was set is taken at its word, the rest from the node.

    :raises Unsafe: for a path that must not be used.
    """
    data_dir, service = parameters.get("data_dir") or "", parameters.get("service") or ""
    distribution = parameters["distribution"]
    try:
        found = identify({"distribution": distribution}).paths
    except ServiceProblem:
        # Without an init system to ask there are still the usual places.
        found = node_paths(distribution)
    return replace(found, data_dir=data_dir or found.data_dir, service=service or found.service)


def unsure_answer(node: Identity, key: str) -> dict[str, Any]:
    """The texts that only the controller can read, sealed: they may hold the cluster's token."""
    # Imported here: hardly any node needs it.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._observation.sealed import seal

    return {"unsure": seal({item.path: item.text for item in node.config_files if item.entries is None}, key)}
