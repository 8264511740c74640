# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of registries on the nodes themselves: who answers, and the typical faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.recipes.products import Harbor, filled, login_of
from tests.recipes.recipe import NGINX, Fault, Recipe, nobody

if TYPE_CHECKING:
    from tests.recipes.recipe import Apps
    from tests.recipes.stage import App

_HARBOR = "harbor.example.com"
_HUB = "registry-1.docker.io"
_SPEGEL = "192.0.2.11:30020"


def _spegel(has: bool = True, hub: bool = True) -> Apps:
    def apps(_config: dict[str, Any]) -> dict[str, App]:
        found: dict[str, App] = {f"http://{_SPEGEL}": filled(*(["library/nginx:1.29"] if has else []))}
        if hub:
            found[f"https://{_HUB}"] = filled("library/nginx:1.29")
        return found

    return apps


SPEGEL = Recipe(
    "spegel",
    (NGINX,),
    _spegel(),
    (
        Fault(
            "nobody-has-it",
            "No node has the image, and the internet does not have it either",
            "404 twice",
            "not_found",
            _SPEGEL,
            _spegel(has=False, hub=False),
        ),
    ),
    not_on_fleet="Spegel is a program on the nodes that finds images in their containerd",
)

EMBEDDED = Recipe(
    "embedded",
    (NGINX, "registry.example.com/team/app:1.0"),
    nobody,
    embedded="127.0.0.1:6443",
    not_on_fleet="its nodes have a stand-in for K3s without the embedded registry",
)

_SATELLITE = "http://127.0.0.1:5050"


def _satellite(runs: bool = True, has: bool = True, **harbor: Any) -> Apps:
    def apps(config: dict[str, Any]) -> dict[str, App]:
        found: dict[str, App] = {}
        if runs:
            found[_SATELLITE] = filled(*(["library/nginx:1.29"] if has else []))
        central = Harbor(
            filled("library/nginx:1.29"),
            harbor.get("robot", True),
            harbor.get("projects", ("library", "rancher")),
            login=login_of(config, _HARBOR),
        )
        return {**found, f"https://{_HARBOR}": central}

    return apps


SATELLITE = Recipe(
    "harbor-satellite",
    (NGINX,),
    _satellite(),
    (
        Fault(
            "not-synced",
            "The satellite does not have the image yet, and Harbor's robot has expired",
            "404 by the satellite, 401 by Harbor",
            "not_found",
            "127.0.0.1:5050",
            _satellite(has=False, robot=False),
        ),
    ),
    not_on_fleet="Harbor Satellite is a program on each node beside K3s",
)
