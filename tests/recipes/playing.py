# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes' cases, each with what has to come of it: every recipe as it should be, and every typical fault."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from tests.recipes import blocks
from tests.recipes.catalogue import RECIPES
from tests.recipes.recipe import Fault, Recipe
from tests.recipes.stage import LOOPBACK

_HOST = re.compile(r"https://([\w.-]+)")


class Case(NamedTuple):
    """A pull of an image. :ivar fault: None if all is well."""

    recipe: Recipe
    fault: Fault | None

    @property
    def name(self) -> str:
        return f"{self.recipe.page}/{self.fault.name if self.fault else 'good'}"

    @property
    def image(self) -> str:
        return (self.fault.image if self.fault else "") or self.recipe.images[0]

    @property
    def config(self) -> dict[str, Any]:
        """The page's own, without the files of certificates."""
        return blocks.without_files(blocks.recipe(self.recipe.page).get("k3s_registries") or {})

    @property
    def apps(self) -> dict[str, Any]:
        return (self.fault or self.recipe).apps(self.config)


CASES = tuple(Case(recipe, fault) for recipe in RECIPES if recipe.is_played for fault in (None, *recipe.faults))


def hosts() -> tuple[str, ...]:
    """Every name that is asked over TLS, without ports."""
    found = {"registry-1.docker.io", "auth.docker.io", "ghcr.io", "cache.example.com"}
    for case in CASES:
        for origin in case.apps:
            found.update(host.partition(":")[0] for host in _HOST.findall(origin))
    return tuple(sorted(found - {LOOPBACK}))
