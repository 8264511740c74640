# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a recipe and a typical fault of it are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.recipes.stage import App

    Apps = Callable[[dict[str, Any]], dict[str, App]]

NGINX = "docker.io/library/nginx:1.29"
PAUSE = "docker.io/rancher/mirrored-pause:3.6"
GHCR = "ghcr.io/example/app:1.0"


class Fault(NamedTuple):
    """A typical fault.

    :ivar what: what is wrong, for people.
    :ivar says: what the registry answers to it, for people.
    :ivar cause: what probe and diagnosis have to call it.
    :ivar endpoint: whom the diagnosis has to blame.
    :ivar apps: who answers, beside those of the recipe.
    :ivar image: the image that is pulled; "" for the recipe's first.
    """

    name: str
    what: str
    says: str
    cause: str
    endpoint: str
    apps: Apps
    image: str = ""


class Recipe(NamedTuple):
    """A page of docs/registries.

    :ivar images: those that the generated part shows, the first of which is pulled.
    :ivar apps: who answers if all is well; none for what other tests show on real nodes.
    :ivar filled: whether mirror_images can fill it: where the recipe's mirrors lead takes uploads.
    :ivar embedded: where K3s' embedded registry listens, if the recipe has it.
    :ivar not_on_fleet: why no fleet tries the page, if none does.
    """

    page: str
    images: tuple[str, ...]
    apps: Apps
    faults: tuple[Fault, ...] = ()
    filled: bool = False
    embedded: str = ""
    not_on_fleet: str = ""

    @property
    def is_played(self) -> bool:
        """Whether small servers answer for it."""
        return self.apps is not nobody


def nobody(_config: dict[str, Any]) -> dict[str, App]:
    """No small server answers: other tests show it."""
    return {}
