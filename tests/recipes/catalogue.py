# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes, one for each page of docs/registries."""

from __future__ import annotations

from tests.recipes.in_clouds import ACR, ECR, GAR
from tests.recipes.on_nodes import EMBEDDED, SATELLITE, SPEGEL
from tests.recipes.on_servers import ARTIFACTORY, DOCKER_HUB, GITLAB, HARBOR, NEXUS, QUAY, ZOT
from tests.recipes.recipe import GHCR, NGINX, Fault, Recipe, nobody

_CACHE = "cache.example.com:5000"
_UNKNOWN = "404 `MANIFEST_UNKNOWN`"


def _behind(state: str, what: str) -> Fault:
    """A fault behind a cache, which looks the same to a node whatever it is."""
    return Fault(state, what, _UNKNOWN, "not_found", _CACHE, nobody)


#: CNCF distribution is tried itself: tests/recipes/distribution.py.
DISTRIBUTION = Recipe(
    "distribution",
    (NGINX, GHCR),
    nobody,
    (
        _behind("private", "The image is private, and the cache has no login for its registry or a wrong one"),
        _behind("basic-login", "The registry behind Debian's 2.8.2 asks for Basic: it logs in at token servers only"),
        _behind("limit", "The registry behind the cache limits its pulls"),
        _behind("lost", "The registry behind the cache cannot be reached, and the cache does not have the image"),
        _behind("missing", "The registry behind the cache does not have the image either"),
    ),
)

RECIPES = (
    DISTRIBUTION, HARBOR, DOCKER_HUB, GITLAB, QUAY, ZOT, ARTIFACTORY, NEXUS, ECR, GAR, ACR, SPEGEL, EMBEDDED, SATELLITE,
)  # fmt: skip
