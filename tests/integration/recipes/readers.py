# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader makes of the pages of docs/registries, all in one configuration.

Most pages give Docker Hub a mirror, so each has a registry of its own here in its place: ``docker-io.harbor.test``
instead of ``docker.io``. Beside that, a page's YAML is used as it is, with the reader's certificate and date.
"""

from __future__ import annotations

import copy
import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.recipes import blocks, page
from tests.recipes.catalogue import RECIPES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.recipes.recipe import Fault, Recipe

ON_FLEET = tuple(recipe for recipe in RECIPES if not recipe.not_on_fleet)
_PRIVATE = "docker.io/example/private:1.0"
_FILLED = "docker.io/library/filled:1.0"
#: A mirrored registry with two endpoints, as the page of CNCF distribution says: one is filled, behind it is a cache.
_TWO_ENDPOINTS = "docker-io.two-endpoints.test"
_BEFORE_THE_CACHE = "registry.example.com:5000"


class Reader(NamedTuple):
    """Somebody who follows a recipe."""

    recipe: Recipe

    @property
    def _mirrored(self) -> list[str]:
        return list(page.config_of(self.recipe).get("mirrors") or {})

    def own(self, registry: str) -> str:
        """The name of a mirrored registry here."""
        return f"{registry.replace('.', '-')}.{self.recipe.page}.test"

    @property
    def mirrored(self) -> list[str]:
        return [self.own(registry) for registry in self._mirrored]

    def named(self, image: str) -> str:
        """An image of the page, with the registry's name here."""
        registry, _slash, rest = image.partition("/")
        return f"{self.own(registry)}/{rest}" if registry in self._mirrored else image

    @property
    def images(self) -> list[str]:
        return [self.named(image) for image in self.recipe.images]

    def asked_first(self, image: str) -> str:
        """The URL that the page says is asked for an image first."""
        url = page.requests(self.recipe, image)[0]
        for registry in self._mirrored:
            url = url.replace(f"?ns={registry}", f"?ns={self.own(registry)}")
        return url

    def config(self, ca: Path) -> dict[str, Any]:
        """The page's k3s_registries."""
        found = copy.deepcopy(page.config_of(self.recipe))
        for settings in (found.get("configs") or {}).values():
            if "tls" in settings:
                settings["tls"] = {"ca_src": str(ca)}
            if "expires" in settings.get("auth", {}):
                day = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=90)
                settings["auth"]["expires"] = day.isoformat()
        mirrors = {self.own(registry): mirror for registry, mirror in (found.get("mirrors") or {}).items()}
        return {"mirrors": mirrors, "configs": found.get("configs") or {}}

    def without_files(self) -> dict[str, Any]:
        """The page's, for whoever answers as its registry."""
        return blocks.without_files(page.config_of(self.recipe))

    @property
    def fault(self) -> Fault:
        """The typical one, which the page names first."""
        return self.recipe.faults[0]

    @property
    def failing(self) -> str:
        """The image that cannot be pulled with it. A cache has those of before; a private one nobody has pulled."""
        image = _PRIVATE if self.recipe.page == "distribution" else self.fault.image or self.recipe.images[0]
        return self.named(image)

    @property
    def filled(self) -> str:
        """The image that mirror_images brings, which no other registry has; "" where nothing is filled."""
        if self.recipe.page == "distribution":
            return _TWO_ENDPOINTS + "/library/filled:1.0"
        return self.named(_FILLED) if self.recipe.filled else ""

    @property
    def place(self) -> str:
        """The URL of its manifest where mirror_images has to put it."""
        if self.recipe.page == "distribution":
            return f"https://{_BEFORE_THE_CACHE}/v2/library/filled/manifests/1.0"
        return self.asked_first(_FILLED).partition("?")[0]


READERS = tuple(Reader(recipe) for recipe in ON_FLEET)
FILLING = tuple(reader for reader in READERS if reader.filled)


def mirrored() -> list[str]:
    """Every registry that has a mirror."""
    return [name for reader in READERS for name in reader.mirrored] + [_TWO_ENDPOINTS]


def configuration(ca: Path) -> dict[str, Any]:
    """k3s_registries with all recipes, and what the page of CNCF distribution says about filling."""
    endpoints = [f"https://{_BEFORE_THE_CACHE}", "https://cache.example.com:5000"]
    found: dict[str, Any] = {
        "mirrors": {_TWO_ENDPOINTS: {"endpoint": endpoints}},
        "configs": {_BEFORE_THE_CACHE: {"tls": {"ca_src": str(ca)}}},
    }
    for reader in READERS:
        for part, content in reader.config(ca).items():
            twice = set(found[part]) & set(content)
            if twice:
                raise ValueError(f"more than one recipe has {', '.join(sorted(twice))}: they cannot be tried at once")
            found[part].update(content)
    return found
