# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe of a node that has hostile registries configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import PlannedHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.run import Prober
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import endpoint_targets, image_targets
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image

from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.registries import REPOSITORY, TAG
from tests.hostile.server import HostileServer

IMAGE = f"mirrored.test/{REPOSITORY}:{TAG}"
BOTH = ((), (IMAGE,))
"""The endpoint itself, and an image of it."""
EITHER = (pytest.param((), marks=pytest.mark.nightly), pytest.param((IMAGE,)))
"""The same for parameters. By day it is the image: the same client asks the same hosts for it, and for more."""


class Node:
    """What its registries.yaml says: endpoints for images of mirrored.test, and settings of hosts."""

    def __init__(self, hostile: Neighbourhood, *endpoints: HostileServer | str) -> None:
        self.hostile = hostile
        urls = [endpoint if isinstance(endpoint, str) else endpoint.url for endpoint in endpoints]
        self.config: dict[str, Any] = {"mirrors": {"mirrored.test": {"endpoint": urls}}, "configs": {}}

    def set(self, host: HostileServer | str, **settings: Any) -> Node:
        """Settings of a host, TLS settings in addition to those that it has."""
        name = host if isinstance(host, str) else host.host
        entry = self.config["configs"].setdefault(name, {})
        for kind, values in settings.items():
            entry[kind] = {**entry.get(kind, {}), **values}
        return self

    def password(self, host: HostileServer | str, password: str, username: str = "robot") -> Node:
        return self.set(host, auth={"username": username, "password": password})

    def probe(
        self, *images: str, environment: Mapping[str, str] | None = None, timeout: float = 5.0, content: bool = True
    ) -> list[dict[str, Any]]:
        """The results for mirrored.test."""
        node = PlannedHosts(normalise(self.config), False, "")
        # The system's authorities are the one that the hostile servers' certificates come from.
        variables = {"SSL_CERT_FILE": str(self.hostile.ca), **(environment or {})}
        prober = Prober(node, variables, timeout, content)
        targets = image_targets(node, [parse_image(name) for name in images]) if images else endpoint_targets(node)
        # A host with settings is a registry of its own, too, which the node would ask as well.
        return prober.results([target for target in targets if target.registry == "mirrored.test"])

    def one(self, *images: str, **options: Any) -> dict[str, Any]:
        results = self.probe(*images, **options)
        assert len(results) == 1, results
        return results[0]


def safe(result: dict[str, Any], hostile: Neighbourhood) -> str:
    """The result as text, in which no secret stands."""
    text = repr(result)
    assert "CANARY" not in text
    assert not any(secret in text for secret in hostile.ledger.secrets.values())
    return text
