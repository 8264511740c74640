# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that are in force on a node although K3s has not read them yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.changes import changes
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.pull_secrets import ANY
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.state import in_force
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.prediction import predict

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.circumstances import Circumstances
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


class Waiting(NamedTuple):
    """``hosts`` whose credentials wait for K3s' next start, in force ``since`` then. ``pods`` with secrets of their own
    for images that are asked for there, ``unknown`` if they are not known: why."""

    hosts: tuple[str, ...] = ()
    since: float = 0.0
    pods: tuple[str, ...] = ()
    unknown: str = ""


def of_node(said: Mapping[str, Any], config: Config | None, around: Circumstances) -> Waiting:
    """What waits on a node.

    :param said: see ``_observation/observe.py``.
    :param config: its registries.yaml.
    """
    generated, seen = said["generated"], said["waiting"]
    if config is None or not generated["headers"] or said["service_state"] not in ("running", "starting"):
        return Waiting()
    wanted = predict(config, around)
    found = Generated(generated["hosts"], generated["auth"], bool(generated["complete"]), generated["headers"])
    hosts = in_force(found, wanted.hosts, wanted.auth).hosts
    if not hosts:
        return Waiting()
    reach = changes(generated["hosts"], generated["auth"] or {}, wanted.auth).reach
    pods = [
        str(pod["who"])
        for pod in seen["pods"]
        if any(name == ANY or reach.covers(str(name)) for name in pod["registries"])
    ]
    return Waiting(hosts, float(seen["since"]), tuple(pods), str(seen["unknown"]))
