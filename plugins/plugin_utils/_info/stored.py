# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that the kubelet hands out on a node, other than those that containerd read at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.plan import surroundings
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.rotation import (
    changed_keys,
    doubts,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import Prediction, predict

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import Circumstances
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


class Stored(NamedTuple):
    """``found`` is what K3s has generated, with the wanted credentials in place of those that nothing uses any more:
    ``keys`` of ``configs``, handed out by the kubelet ``since`` then."""

    found: Generated
    keys: tuple[str, ...] = ()
    since: float = 0.0


def in_force(said: Mapping[str, Any], config: Config, wanted: Prediction, around: Circumstances) -> Stored:
    """What is in force by the store, on the terms of ``_credential_store/staging.py``.

    :param said: see ``_observation/observe.py``.
    :param config: the node's registries.yaml, and ``wanted``: what K3s makes of it.
    """
    generated, seen = said["generated"], said["stored"]
    found = Generated(generated["hosts"], generated["auth"], bool(generated["complete"]), generated["headers"])
    if not seen or found.auth is None or found.headers or found.auth == wanted.auth:
        return Stored(found)
    loaded = {key: dict(table) for key, table in found.auth.items()}
    for possible in surroundings(around, ()):
        if doubts(loaded, wanted.auth, config, seen["registries"], possible, seen["pause_images"]):
            return Stored(found)
    keys = tuple(sorted(changed_keys(loaded, wanted.auth)))
    return Stored(found._replace(auth=wanted.auth), keys, float(seen["since"]))


def of_node(said: Mapping[str, Any], config: Config | None, around: Circumstances) -> Stored:
    """The same for a node, nothing if its K3s does not run."""
    if config is None or not said["stored"] or said["service_state"] not in ("running", "starting"):
        return Stored(Generated({}, {}, False))
    return in_force(said, config, predict(config, around), around)
