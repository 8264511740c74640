# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases that are known to treat a correct registries.yaml badly, each with its public source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .config import WILDCARD
from .release import CONTAINERD_2, CONTAINERD_HOSTS_DIRECTORY, EMBEDDED_REGISTRY_GA, FINAL, PRECISE_MERGE, Gate, Release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypedDict

    from .config import Config

    class KnownProblem(TypedDict):
        """A release's fault that a configuration runs into."""

        problem: str
        fixed_in: str
        path: str
        message: str
        source: str


class _Situation(NamedTuple):
    """What the checks look at."""

    config: Config
    default_endpoint: bool
    embedded_registry: bool


class _Problem(NamedTuple):
    """One known fault.

    :ivar fixed: since when it is gone.
    :ivar broken: since when it is there; None means since ever.
    :ivar only: the releases that have it, as (minor, patch), if it is not simply all before ``fixed``.
    :ivar paths: the places of a configuration that run into it.
    :ivar distribution: the one that has it, "" if both have.
    """

    fixed: Gate
    message: str
    paths: Callable[[_Situation], Iterator[str]]
    broken: Gate | None = None
    only: frozenset[tuple[int, int]] = frozenset()
    distribution: str = ""

    def concerns(self, release: Release) -> bool:
        if self.fixed.passed(release) or self.distribution not in ("", release.distribution):
            return False
        if self.only:
            return (release.minor, release.patch) in self.only
        return self.broken is None or self.broken.passed(release)


def known_problems(
    config: Config, default_endpoint: bool, embedded_registry: bool, release: Release
) -> list[KnownProblem]:
    """What a release is known to do badly with a configuration; warnings that name the fixed release.

    :param config: a normalised configuration.
    :param default_endpoint: false if ``disable-default-registry-endpoint`` is set.
    :param embedded_registry: ``embedded-registry`` is set.
    """
    situation = _Situation(config, default_endpoint, embedded_registry)
    found: list[KnownProblem] = []
    for name, problem in _PROBLEMS.items():
        if not problem.concerns(release):
            continue
        fixed_in = problem.fixed.since(release)
        found += [
            _finding(name, problem.message, path, release, fixed_in, problem.fixed.source)
            for path in problem.paths(situation)
        ]
    fixed_in = _bare_endpoint_build(release)
    if fixed_in:
        message, source = "an endpoint without a scheme is not used", "https://github.com/k3s-io/k3s/issues/9322"
        found += [
            _finding("bare_endpoint", message, path, release, fixed_in, source) for path in _bare_endpoints(situation)
        ]
    return found


def gates() -> list[Gate]:
    """Since when each problem was there and is gone, as far as that is known."""
    return [gate for problem in _PROBLEMS.values() for gate in (problem.broken, problem.fixed) if gate is not None]


def releases_of(name: str) -> str:
    """From which release on a problem was there, and in which it is gone, as a sentence."""
    if name == "bare_endpoint":
        return "Only in the first builds (+k3s1) of %s." % _each(CONTAINERD_HOSTS_DIRECTORY.first)
    problem = _PROBLEMS[name]
    whose = " of RKE2" if problem.distribution == "rke2" else ""
    fixed = _each(problem.fixed.first)
    if problem.only:
        return "Only in %s%s; fixed in %s." % (_each(dict(sorted(problem.only))), whose, fixed)
    if problem.broken is None:
        return "Its source names no first release%s; fixed in %s." % (whose, fixed)
    return "First in %s%s; fixed in %s." % (_each(problem.broken.first), whose, fixed)


def _each(first: dict[int, int]) -> str:
    texts = ["v1.%d.%d" % (minor, patch) for minor, patch in first.items()]
    return " and ".join(part for part in (", ".join(texts[:-1]), texts[-1]) if part)


def _finding(name: str, message: str, path: str, release: Release, fixed_in: str, source: str) -> KnownProblem:
    return {
        "problem": name,
        "fixed_in": fixed_in,
        "path": path,
        "message": f"{release.text}: {message} (no longer since {fixed_in})",
        "source": source,
    }


def _bare_endpoint_build(release: Release) -> str:
    """The rebuilt release that reads bare endpoints again, for the first builds of January 2024."""
    first = CONTAINERD_HOSTS_DIRECTORY.first
    if release.distribution == "k3s" and first.get(release.minor) == release.patch and release.build == 1:
        return release._replace(build=2, candidate=FINAL).text
    return ""


def _bare_endpoints(situation: _Situation) -> Iterator[str]:
    for name, index, endpoint in _endpoints(situation.config):
        if "://" not in endpoint:
            yield f"mirrors.{name}.endpoint[{index}]"


def _endpoints(config: Config) -> Iterator[tuple[str, int, str]]:
    for name, mirror in config["mirrors"].items():
        for index, endpoint in enumerate(mirror["endpoint"]):
            yield name, index, endpoint


def _duplicate_endpoints(situation: _Situation) -> Iterator[str]:
    # Imported here, as below: a node of a current release has none of these problems and does without the rules.
    from .host_configs import merge

    _hosts, problems = merge(situation.config, situation.default_endpoint)
    for path, problem in problems:
        if problem == "duplicate endpoint":
            yield path


def _listed_default_endpoints(situation: _Situation) -> Iterator[str]:
    for name, index, endpoint in _endpoints(situation.config):
        if _read(endpoint)[0] == _read(name)[0]:
            yield f"mirrors.{name}.endpoint[{index}]"


def _read(endpoint: str) -> tuple[str | None, str]:
    """The URL that K3s makes of an endpoint, and the name under which it looks for its settings; none if it cannot."""
    from .endpoint import EndpointError, normalise_endpoint

    try:
        found = normalise_endpoint(endpoint)
    except EndpointError:
        return None, ""
    return found.url, found.registry


def _tls_without_mirror(situation: _Situation) -> Iterator[str]:
    from .host_configs import merge

    hosts, _problems = merge(situation.config, situation.default_endpoint)
    for name, settings in situation.config["configs"].items():
        host = hosts.get("_default" if name == WILDCARD else name)
        if settings["tls"] is not None and host is not None and not host.endpoints:
            yield f"configs.{name}.tls"


def _rewrites_with_credentials(situation: _Situation) -> Iterator[str]:
    configs = situation.config["configs"]
    for name, mirror in situation.config["mirrors"].items():
        if not mirror["rewrite"]:
            continue
        registries = [_read(endpoint)[1] for endpoint in mirror["endpoint"][1:]]
        if any(registry in configs and configs[registry]["auth"] for registry in registries):
            yield f"mirrors.{name}.rewrite"


def _wildcard_fallback(situation: _Situation) -> Iterator[str]:
    if WILDCARD in situation.config["mirrors"] and situation.default_endpoint:
        yield f"mirrors.{WILDCARD}"


def _ipv6_endpoints(situation: _Situation) -> Iterator[str]:
    for name, index, endpoint in _endpoints(situation.config):
        if re.search(r"\[[0-9A-Fa-f:.%]*\]", endpoint):
            yield f"mirrors.{name}.endpoint[{index}]"


def _embedded_registry(situation: _Situation) -> Iterator[str]:
    if situation.embedded_registry:
        yield "embedded-registry"


def _embedded_wildcard(situation: _Situation) -> Iterator[str]:
    if situation.embedded_registry and WILDCARD in situation.config["mirrors"]:
        yield f"mirrors.{WILDCARD}"


def _shares_something(situation: _Situation) -> bool:
    from .go_ip import is_localhost

    return any(not is_localhost(name) for name in situation.config["mirrors"])


def _embedded_with_mirrors(situation: _Situation) -> Iterator[str]:
    if situation.embedded_registry and _shares_something(situation):
        yield "embedded-registry"


def _embedded_without_mirrors(situation: _Situation) -> Iterator[str]:
    if situation.embedded_registry and not _shares_something(situation):
        yield "embedded-registry"


_PROBLEMS = {
    "duplicate_endpoint": _Problem(
        Gate(PRECISE_MERGE.first, "https://github.com/k3s-io/k3s/issues/9693"),
        "containerd refuses the whole hosts.toml when an endpoint is listed twice",
        _duplicate_endpoints,
        broken=CONTAINERD_HOSTS_DIRECTORY,
    ),
    "listed_default_endpoint": _Problem(
        Gate(PRECISE_MERGE.first, "https://github.com/k3s-io/k3s/issues/9637"),
        "listing the registry's own default endpoint can drop the mirror's whole hosts.toml",
        _listed_default_endpoints,
        broken=CONTAINERD_HOSTS_DIRECTORY,
    ),
    "tls_without_mirror": _Problem(
        Gate({27: 13, 28: 9, 29: 4}, "https://github.com/k3s-io/k3s/issues/9839"),
        "TLS settings of a registry without mirror endpoints are ignored (containerd: invalid `host` tree)",
        _tls_without_mirror,
        only=frozenset({(27, 12), (28, 8), (29, 3)}),
    ),
    "rewrite_token_scope": _Problem(
        Gate({29: 12, 30: 8, 31: 4}, "https://github.com/k3s-io/k3s/issues/11191"),
        "with rewrites, the token for a second endpoint with credentials is asked for the wrong repository",
        _rewrites_with_credentials,
    ),
    "wildcard_fallback": _Problem(
        Gate({31: 7, 32: 3}, "https://github.com/k3s-io/k3s/issues/11857"),
        "images that the wildcard mirror lacks are not looked for at their own registry",
        _wildcard_fallback,
        only=frozenset({(31, 6), (32, 2)}),
    ),
    "ipv6_endpoint": _Problem(
        Gate(CONTAINERD_2.first, "https://github.com/k3s-io/k3s/issues/9897"),
        "containerd 1.x refuses the whole hosts.toml when an endpoint is an IPv6 address",
        _ipv6_endpoints,
        broken=CONTAINERD_HOSTS_DIRECTORY,
    ),
    "embedded_registry_experimental": _Problem(
        EMBEDDED_REGISTRY_GA,
        "the embedded registry mirror is experimental",
        _embedded_registry,
        broken=CONTAINERD_HOSTS_DIRECTORY,
    ),
    "embedded_wildcard": _Problem(
        Gate({32: 12, 33: 8, 34: 4, 35: 1}, "https://github.com/k3s-io/k3s/issues/13526"),
        "under the wildcard alone the embedded registry shares no images",
        _embedded_wildcard,
    ),
    "embedded_imports": _Problem(
        Gate({32: 11, 33: 7, 34: 3, 35: 0}, "https://github.com/k3s-io/k3s/issues/13222"),
        "the embedded registry does not share images that were imported from files",
        _embedded_with_mirrors,
        broken=Gate(
            {31: 14, 32: 10, 33: 6, 34: 2}, "k3s-io/k3s#12943 (Spegel 0.4.0, in the releases of November 2025)"
        ),
    ),
    "embedded_without_mirrors": _Problem(
        Gate({32: 13, 33: 9, 34: 5, 35: 2}, "https://github.com/rancher/rke2/issues/9755"),
        "with the embedded registry and no mirror RKE2 waits for a registry that never starts, and then fails to start",
        _embedded_without_mirrors,
        broken=Gate({32: 11, 33: 7, 34: 3, 35: 0}, "rancher/rke2#9198 (in the releases of December 2025)"),
        distribution="rke2",
    ),
}
