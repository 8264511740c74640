# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told about the credential store: which credentials it cannot hold and why, and what must not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import WILDCARD

from .proof import Proof
from .remedy import remedy

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

NOT_STORED = "not_in_credential_store"


def findings(proof: Proof, config: Config) -> Iterator[dict[str, str]]:
    """One for each registry whose credentials stay with containerd, so that they rotate with a restart."""
    for obstacle in proof.obstacles:
        section = "mirrors" if obstacle.registry in config["mirrors"] else "configs"
        yield {
            "code": NOT_STORED,
            "level": "warning",
            "path": '%s."%s"' % (section, obstacle.registry),
            "message": "the credentials for images of %s are not stored for the kubelet: %s"
            % (_named(obstacle.registry), obstacle.reason),
            "fix": remedy(obstacle, config) + ".",
        }


def refusals(stored: Sequence[str], proof: Proof, config: Config) -> list[str]:
    """Why a configuration must not come into force on a node whose kubelet hands out credentials, as sentences: for one
    of these registries there was a proof, and now there is none.

    :param stored: the registries whose credentials the node's store holds. One that has no credentials any more is
        simply taken out of it.
    """
    return [
        "the kubelet hands out the credentials for images of %s, which this configuration would make wrong: %s. %s"
        % (obstacle.registry, obstacle.reason, remedy(obstacle, config))
        for obstacle in proof.obstacles
        if obstacle.registry in stored
    ]


def _named(registry: str) -> str:
    return "all other registries" if registry == WILDCARD else registry
