# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probing with a configuration, as short as tests want it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import PlannedHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.run import Prober
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import endpoint_targets, image_targets
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image

PASSWORD = "pw-CANARY-7f3e #%x"


def planned(config: dict[str, Any], default_endpoint: bool = True, embedded_mirror: str = "") -> PlannedHosts:
    """A node that has a configuration."""
    return PlannedHosts(normalise(config), default_endpoint, embedded_mirror)


def probe(
    config: dict[str, Any],
    *images: str,
    timeout: float = 5.0,
    environment: Mapping[str, str] | None = None,
    machine: str = "x86_64",
    default_endpoint: bool = False,
) -> list[dict[str, Any]]:
    """The results for the images, or for the endpoints where none is given."""
    node = planned(config, default_endpoint)
    # Without this machine's own CAs, which take longer to read than a probe.
    prober = Prober(node, {"SSL_CERT_FILE": os.devnull, **(environment or {})}, timeout, machine=machine)
    if images:
        return prober.results(image_targets(node, [parse_image(image) for image in images]))
    return prober.results(endpoint_targets(node))


def mirrored(port: int, scheme: str = "https", host: str = "127.0.0.1", **settings: Any) -> dict[str, Any]:
    """Images of mirrored.example.com come from a port of this machine."""
    config: dict[str, Any] = {"mirrors": {"mirrored.example.com": {"endpoint": [f"{scheme}://{host}:{port}"]}}}
    if settings:
        config["configs"] = {f"{host}:{port}": settings}
    return config


def one(config: dict[str, Any], *images: str, **options: Any) -> dict[str, Any]:
    """The result for the mirror."""
    found = [result for result in probe(config, *images, **options) if result["registry"] == "mirrored.example.com"]
    assert len(found) == 1, found
    return found[0]
