# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is stored on a node, what cannot be, and what must not come into force there: everything at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import usual_address
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import predict

from .findings import findings, refusals
from .proof import Obstacle, Proof, Surroundings, prove_in_all
from .store import Login, Store

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import Circumstances
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


class Plan(NamedTuple):
    """``store`` is what the node will have; ``findings`` say what is not in it and why. With ``refusals`` nothing may
    be changed on the node."""

    store: Store
    findings: tuple[dict[str, str], ...]
    refusals: tuple[str, ...]


def plan(config: Config, around: Circumstances, others: Iterable[str], stored: Sequence[str]) -> Plan:
    """The plan for a node, proven anew for the configuration that it will have.

    :param config: that configuration, normalised.
    :param around: the circumstances in which its K3s will start next.
    :param others: the folders of its certs.d that K3s has not written.
    :param stored: the registries whose credentials its kubelet hands out now.
    """
    possible = surroundings(around, others)
    proof = prove_in_all(config, possible)
    if not predict(config, around).certain:
        proof = _nothing_of(proof, possible[0])
    return Plan(store_of(proof), tuple(findings(proof, config)), tuple(refusals(stored, proof, config)))


def store_of(proof: Proof) -> Store:
    """What is stored: the credentials that are proven to go where they belong, and no others."""
    return Store({route.registry: Login(route.username, route.password) for route in proof.routes})


def surroundings(around: Circumstances, others: Iterable[str]) -> list[Surroundings]:
    """Those in which K3s may start. An embedded registry that will come on at an address which only the server knows is
    one wherever it is."""
    addresses = [*around.embedded, *([usual_address(around.distribution)] if around.comes_on else [])]
    folders = frozenset(others)
    return [Surroundings(around.default_endpoint, address, folders) for address in dict.fromkeys(addresses)]


def _nothing_of(proof: Proof, around: Surroundings) -> Proof:
    """The same for a release of which nobody can tell whom its containerd asks."""
    reason = "whom containerd asks for them in this release of K3s cannot be told"
    more = [Obstacle(route.registry, reason, "Update K3s", around) for route in proof.routes]
    return Proof((), (*proof.obstacles, *more))
