# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would make a proof possible for a registry that has none: each answer has been tried."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Callable, Iterator, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.naming import redacted
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import DOCKER_HUB_HOST, WILDCARD
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import credential_keys

from .asked import (
    credentials_for,
    host_of,
    registries_named,
)
from .proof import (
    Obstacle,
    Surroundings,
    Unproven,
    prove_one,
)

if TYPE_CHECKING:
    from typing import Tuple

    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config

    Case = Tuple[Config, Surroundings]

# Of so many endpoints with credentials each is tried as the only one.
_MOST_ENDPOINTS = 4
_MOST_CHANGES = 4


class Change(NamedTuple):
    """A change that could help: the sentence that asks for it, and what it makes of a configuration and its
    surroundings."""

    sentence: str
    apply: Callable[[Case], Case]


def remedy(obstacle: Obstacle, config: Config) -> str:
    """What to do about an obstacle: the fewest changes with which there is a proof; if none of those that are known
    here would do, what the obstacle itself says."""
    changes = remedy_changes(obstacle, config)
    return ". ".join(change.sentence for change in changes) or obstacle.fix


def remedy_changes(obstacle: Obstacle, config: Config) -> Sequence[Change]:
    """The fewest changes with which there is a proof for its registry, empty if none are known."""
    registry, around = obstacle.registry, obstacle.around
    if registry == WILDCARD:
        return ()
    about = _about(registry, config)
    known = list(_changes(registry, about, around))
    for number in range(1, min(len(known), _MOST_CHANGES) + 1):
        for together in itertools.combinations(known, number):
            case: Case = (about, around)
            for change in together:
                case = change.apply(case)
            if _is_proven(registry, case):
                return together
    return ()


def _is_proven(registry: str, case: Case) -> bool:
    # With all of its entries gone its images may have one place, the wildcard's. But nobody looks for a proof then, for
    # a kubelet can only be told to match the registries that the configuration names.
    if registry not in registries_named(case[0]):
        return False
    try:
        return prove_one(registry, *case) is not None
    except Unproven:
        return False


def _about(registry: str, config: Config) -> Config:
    """What decides about one registry: the rest of a large configuration would be merged for each attempt."""
    host, _colon, port = registry.rpartition(":")
    mirrors = {registry, WILDCARD, f"{host}_{port}_"}
    configs = {*mirrors, *credential_keys(DOCKER_HUB_HOST)}
    for name in mirrors & set(config["mirrors"]):
        for endpoint in config["mirrors"][name]["endpoint"]:
            configs.add(host_of(endpoint))
    return {
        "mirrors": {name: mirror for name, mirror in config["mirrors"].items() if name in mirrors},
        "configs": {name: settings for name, settings in config["configs"].items() if name in configs},
    }


def _changes(registry: str, config: Config, around: Surroundings) -> Iterator[Change]:
    """In the order in which they are suggested, if several would be enough."""
    if around.default_endpoint:
        yield Change(
            "Set k3s_registries_disable_default_endpoint: true",
            lambda case: (case[0], case[1]._replace(default_endpoint=False)),
        )
    yield from _fewer_endpoints(registry, config)
    if registry in config["configs"] and registry in config["mirrors"]:
        yield Change(
            'Remove configs."%s": K3s keeps a default endpoint that has an entry there' % registry,
            lambda case: (_without_entry(registry, case[0]), case[1]),
        )
    if around.embedded_mirror:
        yield Change(
            "Turn the embedded registry off (k3s_registries_embedded_registry: false)",
            lambda case: (case[0], case[1]._replace(embedded_mirror="")),
        )


def _fewer_endpoints(registry: str, config: Config) -> Iterator[Change]:
    listed = config["mirrors"][registry]["endpoint"] if registry in config["mirrors"] else []
    with_credentials = [text for text in dict.fromkeys(listed) if credentials_for(host_of(text), config)[0]]
    for kept in with_credentials[:_MOST_ENDPOINTS] if len(listed) > 1 else []:
        others = ", ".join(redacted(text) for text in dict.fromkeys(listed) if text != kept)
        yield Change('Take %s out of the endpoints of mirrors."%s"' % (others, registry), _Keeping(registry, [kept]))
    if listed:
        yield Change('Remove mirrors."%s"' % registry, _Keeping(registry, []))


class _Keeping:
    """A registry with these of its endpoints only, without any as one that has no mirror."""

    def __init__(self, registry: str, endpoints: list[str]) -> None:
        self.registry = registry
        self.endpoints = endpoints

    def __call__(self, case: Case) -> Case:
        config, around = case
        mirrors = dict(config["mirrors"])
        mirror = mirrors.pop(self.registry, None)
        if mirror is not None and self.endpoints:
            mirrors[self.registry] = {"endpoint": self.endpoints, "rewrite": mirror["rewrite"]}
        return {"mirrors": mirrors, "configs": config["configs"]}, around


def _without_entry(registry: str, config: Config) -> Config:
    return {
        "mirrors": config["mirrors"],
        "configs": {name: settings for name, settings in config["configs"].items() if name != registry},
    }
