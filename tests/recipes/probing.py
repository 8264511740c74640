# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probe, which verify uses, says of a recipe's image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable

# isort: split
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import PlannedHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.run import Prober
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import image_targets
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = 20.0
"""The timeout of a probe of a server that answers: no busy machine makes a failure of it."""


def probe(config: dict[str, Any], image: str, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The results of an image's endpoints, in order."""
    node = PlannedHosts(normalise(config), True, "")
    prober = Prober(node, environment, SECONDS, machine="x86_64")
    return prober.results(image_targets(node, [parse_image(image)]))
