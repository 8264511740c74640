# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes, one for each page of docs/registries."""

from __future__ import annotations

from tests.recipes.in_clouds import ACR, ECR, GAR
from tests.recipes.on_nodes import EMBEDDED, SATELLITE, SPEGEL
from tests.recipes.on_servers import ARTIFACTORY, DOCKER_HUB, GITLAB, HARBOR, NEXUS, QUAY, ZOT
from tests.recipes.recipe import GHCR, NGINX, Recipe, nobody

#: CNCF distribution is tried itself: tests/recipes/distribution.py.
DISTRIBUTION = Recipe("distribution", (NGINX, GHCR), nobody)

RECIPES = (
    DISTRIBUTION, HARBOR, DOCKER_HUB, GITLAB, QUAY, ZOT, ARTIFACTORY, NEXUS, ECR, GAR, ACR, SPEGEL, EMBEDDED, SATELLITE,
)  # fmt: skip
