# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For which registries the kubelet may hand out the credentials: only where containerd has nobody else to give them to.

Credentials that a kubelet passes with a pull name no server. containerd answers with them to every host that it asks
for the image: each endpoint of the mirror, the embedded registry, and the registry itself as the endpoint of last
resort. So they may be stored for a registry only if every request for every one of its images goes to one scheme, host
and port, with one pair of user name and password.

Which hosts are asked depends on an image's registry alone: a rewrite changes the repository, never the host. And the
kubelet matches a registry that is written out against exactly the images of that registry. So a proof for a registry is
one for all names that it matches. Source: ``URLsMatch`` in ``pkg/credentialprovider/keyring.go`` of Kubernetes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.naming import redacted
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.kept_shapes import is_text
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.origin import (
    AddressError,
    Origin,
    origin_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import WILDCARD
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import (
    Host,
    HostsFileError,
    directory_for,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.host_configs import merge
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

from .asked import (
    credentials_for,
    hosts_asked,
    registries_named,
    wildcard_hosts,
)

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.host_configs import MergedHost

# The kubelet reads a name as one with wildcards, and an IPv6 address without a port as a set of characters.
_WRITTEN_OUT = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]+)?|\[[0-9A-Fa-f:.]+\]:[0-9]+")


class Surroundings(NamedTuple):
    """What decides beside registries.yaml about the hosts that containerd asks.

    ``default_endpoint`` is false with ``disable-default-registry-endpoint``; ``embedded_mirror`` is ``host:port`` of
    the embedded registry, "" if it is off; ``others`` are the folders of certs.d that are not K3s', which containerd
    follows too.
    """

    default_endpoint: bool = True
    embedded_mirror: str = ""
    others: frozenset[str] = frozenset()


class Route(NamedTuple):
    """Images of ``registry`` are asked for at ``origin`` only, with this user name and password."""

    registry: str
    origin: Origin
    username: str
    password: str

    def __repr__(self) -> str:
        """Without the login: what fails may show what it was called with."""
        return "Route(%r, %r, ...)" % (self.registry, self.origin.text)


class Obstacle(NamedTuple):
    """Why the credentials for the images of ``registry`` are not stored in these surroundings, and what to do in
    general: ``remedy.py`` knows what would be enough."""

    registry: str
    reason: str
    fix: str
    around: Surroundings


class Proof(NamedTuple):
    """``routes`` are proven; ``obstacles`` are the registries with credentials for which there is no proof."""

    routes: tuple[Route, ...]
    obstacles: tuple[Obstacle, ...]

    @property
    def registries(self) -> tuple[str, ...]:
        """Those of the routes, sorted: what the kubelet may match images with."""
        return tuple(sorted(route.registry for route in self.routes))


class Unproven(Exception):
    """The reason. ``fix``: what to do in general."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


def prove(config: Config, around: Surroundings) -> Proof:
    """Look at every registry that the configuration names. Those without credentials at any host are left out.

    :param config: a normalised configuration.
    """
    merged = merge(config, around.default_endpoint, around.embedded_mirror)[0]
    routes: list[Route] = []
    obstacles: list[Obstacle] = []
    for registry in _registries_of_images(config):
        try:
            route = _route(registry, merged, config, around)
        except Unproven as problem:
            obstacles.append(Obstacle(registry, str(problem), problem.fix, around))
        else:
            routes += [route] if route is not None else []
    obstacles += _of_the_wildcard(merged, config, around)
    return Proof(tuple(routes), tuple(obstacles))


def prove_in_all(config: Config, possible: Sequence[Surroundings]) -> Proof:
    """:func:`prove` for a node that cannot tell in which of these surroundings its K3s will start: what is proven in
    all of them."""
    proofs = [prove(config, around) for around in possible]
    obstacles: dict[str, Obstacle] = {}
    for proof in proofs:
        for obstacle in proof.obstacles:
            obstacles.setdefault(obstacle.registry, obstacle)
    routes = proofs[0].routes if proofs else ()
    return Proof(
        tuple(route for route in routes if all(route in proof.routes for proof in proofs)), tuple(obstacles.values())
    )


def prove_one(registry: str, config: Config, around: Surroundings) -> Route | None:
    """The route of a single registry, None if containerd has no credentials for any host that it asks.

    :raises Unproven: if it has, and there is no proof.
    """
    return _route(registry, merge(config, around.default_endpoint, around.embedded_mirror)[0], config, around)


def _registries_of_images(config: Config) -> Iterator[str]:
    """Those that an image's name can begin with."""
    for name in registries_named(config):
        try:
            if parse_image(name + "/image").registry == name:
                yield name
        except ImageError:
            continue


def _hosts(registry: str, merged: Mapping[str, MergedHost]) -> list[Host]:
    try:
        return hosts_asked(registry, merged)
    except HostsFileError as problem:
        raise Unproven(
            "containerd cannot read the hosts.toml that K3s writes for it (%s)" % redacted(str(problem)),
            "Correct its endpoints and rewrites",
        ) from None


def _route(registry: str, merged: Mapping[str, MergedHost], config: Config, around: Surroundings) -> Route | None:
    hosts = _hosts(registry, merged)
    known = [credentials_for(host.host, config) for host in hosts]
    if not any(key for key, _used in known):
        return None
    directory = directory_for(registry, {**dict.fromkeys(around.others), **merged})
    if directory is not None and directory not in merged:
        raise Unproven(
            "certs.d/%s on the node was not written by K3s, and says whom containerd asks" % redacted(directory),
            "Take that folder away",
        )
    if not _WRITTEN_OUT.fullmatch(registry):
        raise Unproven(
            "the kubelet takes this name for a pattern that matches others",
            "Use a host name, or an address with its port",
        )
    origins = {host.url: _origin(host) for host in hosts}
    first = next(host for host, (key, _used) in zip(hosts, known) if key)
    for host in hosts:
        if origins[host.url] != origins[first.url]:
            raise Unproven(_also_asked(registry, host, around), "Let them be asked for at one place only")
    _key, used = known[hosts.index(first)]
    if used is None or not (used.username and used.secret and is_text(used.username) and is_text(used.secret)):
        raise Unproven(
            "a kubelet hands out a user name and a password only, and there are none for %s" % first.host,
            "Give username and password there",
        )
    if any(other != used for _key, other in known):
        raise Unproven(
            "%s is written in two ways, with different credentials" % origins[first.url].text,
            "Write it in one way, or give both the same credentials under configs",
        )
    if origins[first.url].scheme != "https":
        raise Unproven("%s is not reached over TLS" % origins[first.url].text, "Use https")
    return Route(registry, origins[first.url], used.username, used.secret)


def _origin(host: Host) -> Origin:
    try:
        return origin_of("%s://%s/" % (host.scheme, host.host))
    except AddressError:
        raise Unproven("%s is no address that can be compared" % redacted(host.url), "Correct the endpoint") from None


def _also_asked(registry: str, host: Host, around: Surroundings) -> str:
    what = ""
    if host.default:
        what = ", the default endpoint"
    elif around.embedded_mirror and host.host == around.embedded_mirror:
        what = ", the embedded registry"
    place = "%s://%s" % (host.scheme, host.host)
    return "its images are asked for at %s as well%s, which would get them too" % (place, what)


def _of_the_wildcard(merged: Mapping[str, MergedHost], config: Config, around: Surroundings) -> Iterator[Obstacle]:
    with_credentials = [host for host in wildcard_hosts(merged) if credentials_for(host, config)[0]]
    if with_credentials:
        yield Obstacle(
            WILDCARD,
            "a kubelet cannot be told to match the images of all other registries, and these are asked for at %s with "
            "what containerd read at its start" % with_credentials[0],
            "Give each registry whose images are used an entry of its own under mirrors",
            around,
        )
