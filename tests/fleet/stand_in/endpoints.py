# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the API servers are: the endpoints of the service `default/kubernetes`.

Each server renews a lease of its own every ten seconds, and one that has not done so for fifteen is no longer listed.
"""

from __future__ import annotations

import re
import time
from typing import Any

from stand_in.store import Changed, Exists, Store

_FOLDER = "/registry/masterleases/"
_RENEW_SECONDS = 10.0
_LIVES_SECONDS = 15.0
_PATH = re.compile(
    r"^(?:/api/v1/namespaces/default/(?P<endpoints>endpoints)"
    r"|/apis/discovery\.k8s\.io/v1/namespaces/default/endpointslices)(?P<name>/kubernetes)?$"
)


def renew(store: Store, address: str, port: int) -> None:
    """Say that this server lives, if it has not done so for a while."""
    key, value = _FOLDER + address, {"port": port, "renewed": time.time()}
    entry = store.get(key)
    try:
        if entry is None:
            store.create(key, value)
        elif time.time() - entry.value["renewed"] >= _RENEW_SECONDS or entry.value["port"] != port:
            store.replace(key, value, entry.revision)
    except (Exists, Changed):
        return


def answer(store: Store, path: str) -> Any:
    """The Endpoints or EndpointSlice object, or the list with it; None for another path."""
    match = _PATH.match(path)
    if match is None:
        return None
    alive = {
        entry.key[len(_FOLDER) :]: entry.value["port"]
        for entry in store.list(_FOLDER)
        if time.time() - entry.value["renewed"] <= _LIVES_SECONDS
    }
    found = _endpoints(alive) if match.group("endpoints") else _slice(alive)
    if match.group("name"):
        return found
    return {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": ""}, "items": [found]}


def _port(number: int) -> dict[str, Any]:
    return {"name": "https", "port": number, "protocol": "TCP"}


def _endpoints(alive: dict[str, int]) -> Any:
    subsets = [
        {
            "addresses": [{"ip": address} for address, port in sorted(alive.items()) if port == number],
            "ports": [_port(number)],
        }
        for number in sorted(set(alive.values()))
    ]
    metadata = {"name": "kubernetes", "namespace": "default"}
    return {"kind": "Endpoints", "apiVersion": "v1", "metadata": metadata, "subsets": subsets}


def _slice(alive: dict[str, int]) -> Any:
    return {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv6" if any(":" in address for address in alive) else "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in sorted(alive)],
        "ports": [_port(number) for number in sorted(set(alive.values()))],
    }
