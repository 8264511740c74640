# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated cases: what is in force, what is to come, the images, and which registry has what; all from the seed."""

from __future__ import annotations

import copy
import random
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.rehearsal.world import DOCKER_HUB, PASSWORDS, PUBLIC, WRONG, Copy, copy_of

if TYPE_CHECKING:
    from tests.rehearsal.world import Town

IMAGES = 4
LOGINS: dict[str, dict[str, str]] = {
    "nobody": {},
    "robot": {"username": "robot", "password": PASSWORDS["robot"]},
    "reader": {"username": "reader", "password": PASSWORDS["reader"]},
    "stranger": {"username": "robot", "password": WRONG},
}
"""Who containerd is to the registries that want to know."""

_REPOSITORIES = ("library/nginx", "rancher/mirrored-pause", "team/app", "team/sub/app", "other/web", "a-b/c_d/e.f")
_REWRITES = (
    ("^rancher/(.*)", "mirror/rancher-images/$1"),
    ("^library/(.*)$", "hub/$1"),
    ("^team/(.*)", "teams/$1"),
    ("n", "m"),
    ("^none/", "unused/"),
    ("^(.*)$", "all/$1"),
)
_USUAL = ("http", "plain", "tls", "second", "third")
_PECULIAR = ("password", "token", "mutual", "expired", "other-name", "down")
_PATHS = ("", "", "", "", "/v2/project", "/v2/a/b")
_BROKEN = ("layer", "config", "platform", "page")


class Plan(NamedTuple):
    """A configuration, as whom containerd logs in, and whether it may fall back to the registry itself."""

    config: dict[str, Any]
    login: str
    default_endpoint: bool


class Case(NamedTuple):
    """:ivar images: their names, each another repository, and whether a name has a digest."""

    seed: int
    before: Plan
    after: Plan
    images: list[str]
    faults: dict[str, int]


class Maker:
    """``case`` makes one; ``stock`` gives the registries what they have, by what the case asks of them."""

    def __init__(self, seed: int, town: Town) -> None:
        self._random = random.Random(seed)
        self._seed = seed
        self._town = town
        self._tags: dict[tuple[str, str], str] = {}

    def case(self) -> Case:
        before = self._plan()
        after = self._plan() if self._chance(0.25) else self._changed(before)
        names = []
        for number, repository in enumerate(self._random.sample(_REPOSITORIES, IMAGES)):
            registry, tag = self._random.choice(PUBLIC), f"{self._seed}-{number}"
            self._tags[registry, repository] = tag
            name = f"{registry}/{repository}:{tag}"
            names.append(f"{name}@{copy_of(name).digest}" if self._chance(0.15) else name)
        hosts = [place.host for place in self._town.places.values()]
        faults = {self._random.choice(hosts): self._random.choice((403, 404, 404))} if self._chance(0.15) else {}
        if self._chance(0.03):
            faults[self._random.choice(hosts)] = self._random.choice((429, 503))
        return Case(self._seed, before, after, names, faults)

    def stock(self, wanted: list[tuple[str, str, str, str]]) -> dict[tuple[str, str, str], Copy]:
        """:param wanted: image, host, repository there and tag of what is going to be asked for."""
        copies: dict[tuple[str, str, str], Copy] = {}
        for image, host, repository, tag in dict.fromkeys(wanted):
            if not self._chance(0.75 if host in (*PUBLIC, DOCKER_HUB) else 0.65):
                continue
            name = image.partition("@")[0]
            # What Docker Hub's images hold is not asked, since that counts as pulls there.
            is_looked_into = not name.startswith("docker.io/")
            broken = self._random.choice(_BROKEN) if is_looked_into and self._chance(0.12) else ""
            content = name if self._chance(0.85) else f"{name} at {host}"
            copies[host, repository, tag] = copy_of(content, broken)
        return copies

    def _plan(self) -> Plan:
        mirrors: dict[str, Any] = {}
        for registry in PUBLIC:
            if self._chance(0.75):
                mirrors[registry] = self._mirror()
        if self._chance(0.3):
            mirrors["*"] = self._mirror()
        login = self._random.choice(list(LOGINS))
        plan = Plan({"mirrors": mirrors, "configs": {}}, login, self._chance(0.6))
        return plan._replace(config={"mirrors": mirrors, "configs": self._configs(login)})

    def _changed(self, before: Plan) -> Plan:
        config, login, default_endpoint = copy.deepcopy(before)
        mirrors = config["mirrors"]
        for registry in self._random.sample([*PUBLIC, "*"], self._random.choice((1, 2, 3))):
            if registry in mirrors and self._chance(0.2):
                del mirrors[registry]
            else:
                mirrors[registry] = self._mirror()
        if self._chance(0.3):
            login = self._random.choice(list(LOGINS))
        if self._chance(0.2):
            default_endpoint = not default_endpoint
        if login != before.login or self._chance(0.2):
            config["configs"] = self._configs(login)
        return Plan(config, login, default_endpoint)

    def _mirror(self) -> dict[str, Any]:
        names = [
            self._random.choice(_PECULIAR if self._chance(0.35) else _USUAL)
            for _number in range(self._random.choice((0, 1, 1, 1, 2, 2, 3)))
        ]
        places = [self._town.places[name] for name in dict.fromkeys(names)]
        mirror: dict[str, Any] = {"endpoint": [place.url + self._random.choice(_PATHS) for place in places]}
        if self._chance(0.35):
            mirror["rewrite"] = dict([self._random.choice(_REWRITES)])
        return mirror

    def _configs(self, login: str) -> dict[str, Any]:
        configs: dict[str, Any] = {}
        for name, place in self._town.places.items():
            tls: dict[str, Any] = {}
            if place.scheme == "https" and self._chance(0.95):
                tls["ca_file"] = str(self._town.missing if self._chance(0.03) else self._town.ca)
            if name == "mutual" and self._chance(0.7):
                key = self._town.other_key if self._chance(0.1) else self._town.key
                tls.update(cert_file=str(self._town.cert), key_file=str(key))
            if name in ("expired", "other-name") and self._chance(0.2):
                tls["insecure_skip_verify"] = True
            if tls:
                configs[place.host] = {"tls": tls}
        for host in self._town.private if LOGINS[login] else ():
            configs.setdefault(host, {})["auth"] = dict(LOGINS[login])
        return configs

    def _chance(self, share: float) -> bool:
        return self._random.random() < share
