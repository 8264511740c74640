# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What K3s is expected to generate on this node: the one prediction, for what the node is and is to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.settings import Settings
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import (
    Circumstances,
    circumstances,
    server_addresses,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.fingerprint import (
    circumstances_key,
    fingerprint,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules import release as rules

from .desired import FOUND, Desired
from .drop_in import drop_in_entries

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import Prediction


def settings_after(node: Identity, desired: Desired) -> Settings:
    """K3s' settings once the wanted drop-in is in place."""
    if desired.kind == FOUND:
        return node.settings
    entries = [] if desired.absent else drop_in_entries(desired.settings, node.paths.node_role)
    return node.settings.with_file(node.paths.drop_in, entries)


def around(
    node: Identity, desired: Desired, release: str, found: Generated, embedded_told: str | None = None
) -> Circumstances:
    """The circumstances in which K3s will start next with the wanted state in place.

    :param found: what it has generated, which tells an agent of its server's embedded registry.
    :param embedded_told: that registry's address as the servers of the same run have it ("" for off), if they told.
    """
    paths = node.paths
    return circumstances(
        settings_after(node, desired), paths.node_role, paths.distribution, paths.agent_dir, release, found.hosts,
        desired.settings.get("embedded_registry"), embedded_told,
    )  # fmt: skip


def prediction(
    node: Identity, desired: Desired, release: str, found: Generated, embedded_told: str | None = None
) -> Prediction:
    """What K3s will generate at its next start: see :func:`around`."""
    # Imported here: on most nodes of most runs the fingerprint is enough, and the rules are half of this code.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import predict

    return predict(desired.config, around(node, desired, release, found, embedded_told))


def with_store(node: Identity, desired: Desired, *, check_mode: bool) -> tuple[Desired, tuple[str, ...]]:
    """The wanted state with the credential store that it asks for, and warnings about what that does not hold: see
    ``_credential_store/wanted.py``."""
    if not desired.settings.get("credential_store"):
        return desired, ()
    # Imported here, as below: most nodes have none.
    from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store import wanted

    return wanted.with_store(node, desired, check_mode=check_mode)


def in_force(node: Identity, desired: Desired, release: str, found: Generated) -> Generated:
    """What K3s has generated, with the wanted credentials in place of those that containerd has read, if the kubelet
    hands out the wanted ones and nothing uses the others any more."""
    if not desired.settings.get("credential_store") or found.auth == desired.auth:
        return found
    from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store import staging

    return staging.in_force(node, desired, release, found)


def as_usual(node: Identity, desired: Desired, release: str, found: Generated) -> bool:
    """Whether K3s has generated what the controller predicted for the circumstances of this node. False says nothing:
    :func:`prediction` knows."""
    if not found.complete or found.headers or found.auth != desired.auth:
        return False
    if not rules.hosts_toml_is_exact(rules.known_release(release)):
        return False
    here = around(node, desired, release, found)
    if len(here.embedded) != 1 or here.comes_on:
        return False
    key = circumstances_key(here.distribution, here.agent_dir, here.default_endpoint, here.embedded[0])
    return desired.fingerprints.get(key) == fingerprint(found.hosts)


def server_address(node: Identity, desired: Desired) -> str | None:
    """Where a server will have its embedded registry, "" for off; None on an agent, and if it cannot be told."""
    if node.paths.node_role != "server" or node.state in ("not_installed", "not_set_up"):
        return None
    addresses = server_addresses(settings_after(node, desired), node.paths.distribution)
    return addresses[0] if len(addresses) == 1 else None
