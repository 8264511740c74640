# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated registries, with faults, and a model of what K3s and containerd do with them.

The model is made of the stand-in's rules for K3s, which share no code with the product's, and of containerd's search
for an image, written down here a second time.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import random
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from stand_in import host_config

REGISTRIES = ("docker.io", "quay.io", "ghcr.io", "registry.test:5000")
MIRRORS = ("https://m1.test:5000", "https://m2.test", "http://m3.test:5000", "https://m1.test:5000/v2/cache")
REPOSITORIES = ("library/nginx", "team/app", "other/db", "rancher/pause")
FAULTS = ("", "", "", "", "expired", "refused", "page", "silent", "busy", "broken")
PASSING = ("silent", "busy", "broken")
REWRITES = (
    {},
    {},
    {"^team/(.*)": "moved/$1"},
    {"^": "cache/"},
    {"^library/": "", "^library/nginx$": "nginx-of-ours"},
    {"(.*)": "all/$1", "^other/db$": "all/other/db"},
)
RENAMED = ("moved/app", "nginx", "nginx-of-ours")
LOGINS = (None, None, "robot", "intern")


class Reply(NamedTuple):
    """What a registry says: ``digest`` if it has the manifest, otherwise why not."""

    digest: str
    fault: str = ""


class World:
    """Registries by host: what each has, whom it lets read what, and what is wrong with it."""

    def __init__(self, dice: random.Random) -> None:
        self.faults: dict[str, str] = {}
        self.closed: dict[str, bool] = {}
        self.contents: dict[str, dict[str, str]] = {}
        names = {*(urlsplit(mirror).netloc for mirror in MIRRORS), "registry-1.docker.io", *REGISTRIES[1:]}
        for host in sorted(names):
            self.faults[host] = dice.choice(FAULTS)
            self.closed[host] = dice.random() < 0.3
            self.contents[host] = {}
            for repository in REPOSITORIES:
                for form in (repository, "cache/" + repository, "all/" + repository, *RENAMED):
                    if dice.random() < 0.6:
                        self.contents[host][form] = _digest("%s %s" % (repository, dice.choice(("", "", host))))

    def reply(self, url: str, user: str | None) -> Reply:
        """To a HEAD for a manifest, from somebody with a login or None."""
        parts = urlsplit(url)
        fault = self.faults[parts.netloc]
        if fault:
            return Reply("", fault)
        found = re.fullmatch(r"/v2/(.+)/manifests/1", parts.path)
        assert found is not None, url
        repository = found.group(1)
        if self.closed[parts.netloc]:
            if user is None:
                return Reply("", "unauthorized")
            # The intern may not see one team's project.
            if user == "intern" and "team" in repository:
                return Reply("", "forbidden")
        digest = self.contents[parts.netloc].get(repository, "")
        return Reply(digest) if digest else Reply("", "missing")


class Pull(NamedTuple):
    """How a pull ends: from where, with which digest; ``unsure`` if that depends on the moment or on K3s' choice, of
    which ``ends`` has all."""

    url: str
    digest: str
    unsure: bool
    ends: frozenset[tuple[str, str]] = frozenset()


def configuration(dice: random.Random) -> dict[str, Any]:
    """What somebody could have in registries.yaml."""
    mirrors = {}
    for name in (*REGISTRIES, "*"):
        if dice.random() < 0.55:
            endpoints = dice.sample(MIRRORS, dice.randint(0, 3))
            if dice.random() < 0.2 and name != "*":
                endpoints.append("https://" + name)
            mirrors[name] = {"endpoint": endpoints, "rewrite": dict(dice.choice(REWRITES))}
    configs = {}
    for host in ("m1.test:5000", "m2.test", "m3.test:5000", "registry-1.docker.io", *REGISTRIES[1:]):
        login = dice.choice(LOGINS)
        if login is not None:
            auth = {"username": login, "password": "secret", "auth": "", "identity_token": ""}
            configs[host] = {"auth": auth, "tls": None}
    return {"mirrors": mirrors, "configs": configs}


def pull(config: dict[str, Any], default_endpoint: bool, world: World, registry: str, repository: str) -> Pull:
    """What a node with this configuration comes to."""
    hosts = host_config.host_configs(copy.deepcopy(config), default_endpoint, lambda _level, _text: None)
    host = hosts.get(registry) or hosts.get("_default")
    # K3s chooses anew for every host that it asks.
    choices = itertools.product(range(2), repeat=len(host.endpoints) if host is not None else 0)
    ends = [_search(host, config, world, registry, repository, choice) for choice in choices]
    sure = len(set(ends)) == 1
    all_of_them = frozenset((end.url, end.digest) for end in ends)
    return ends[0]._replace(unsure=ends[0].unsure or not sure, ends=all_of_them)


def _search(host: Any, config: Any, world: World, registry: str, repository: str, choices: Sequence[int]) -> Pull:
    itself = "https://%s/v2" % ("registry-1.docker.io" if registry == "docker.io" else registry)
    places: list[tuple[str, dict[str, str]]] = []
    if host is not None:
        places = [(endpoint.url, endpoint.rewrites) for endpoint in host.endpoints]
        if host.default is not None and host.default.url is not None:
            places.append((host.default.url or itself, {}))
    unsure = False
    for number, (base, rewrites) in enumerate(places or [(itself, {})]):
        server = urlsplit(base).netloc
        asked = _rewritten(repository, rewrites, choices[number] if number < len(choices) else 0)
        own = server == registry or (registry, server) == ("docker.io", "registry-1.docker.io")
        url = "%s/%s/manifests/1%s" % (base, asked, "" if own else "?ns=" + quote(registry, safe=""))
        login = (config["configs"].get(server) or {}).get("auth")
        said = world.reply(url, login["username"] if login else None)
        if said.digest:
            return Pull(url, said.digest, unsure)
        if said.fault == "page":
            return Pull("", "", unsure)
        unsure = unsure or said.fault in PASSING
    return Pull("", "", unsure)


def _rewritten(repository: str, rewrites: dict[str, str], choice: int) -> str:
    """By the first rewrite that changes it, in an order of K3s' choice."""
    patterns = sorted(rewrites)
    for pattern in patterns[choice % max(1, len(patterns)) :] + patterns[: choice % max(1, len(patterns))]:
        new = re.sub(pattern, rewrites[pattern].replace("$1", r"\1"), repository, count=1)
        if new != repository:
            return new
    return repository


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
