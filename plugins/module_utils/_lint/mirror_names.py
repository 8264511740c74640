# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of registries under `mirrors` and of hosts under `configs`: those that never match what they were meant for."""

from __future__ import annotations

import re

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import (
    DOCKER_HUB,
    DOCKER_HUB_HOST,
    WILDCARD,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import EndpointError

from .catalogue import ERROR, WARNING, Findings, checks, declare
from .known_registries import can_be_named, is_public_cache, public_registry
from .naming import listed, path, quoted, redacted
from .subject import Subject

_K3S = "k3s-io/k3s pkg/agent/containerd/config.go"
_REFERENCE = "distribution/reference normalize.go splitDockerDomain"
# Names of Docker Hub that stand in no image name after containerd has normalised it.
_HUB_ALIASES = (
    "index.docker.io",
    DOCKER_HUB_HOST,
    "hub.docker.com",
    "registry.hub.docker.com",
    "www.docker.com",
    "docker.com",
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")

MIRROR_NOT_A_REGISTRY = declare(
    "K3R201",
    ERROR,
    "Mirror name is a URL or an image",
    "A mirror applies to the registry part of image names: host[:port]. A name with a scheme or a path never matches.",
    "https://github.com/k3s-io/k3s/issues/10358, https://github.com/k3s-io/k3s/issues/10613",
    "Write only host[:port], as it stands at the beginning of the image names.",
)
MIRROR_HUB_ALIAS = declare(
    "K3R202",
    ERROR,
    "Mirror for another name of Docker Hub",
    "Images of Docker Hub are named docker.io/..., whatever else its hosts are called: this mirror is never used.",
    _REFERENCE + "; " + _K3S,
    "Name the mirror docker.io.",
)
MIRROR_NOT_A_HOST = declare(
    "K3R203",
    ERROR,
    "Mirror name that cannot be a registry",
    "The first part of an image name is a registry only if it has a dot or a colon, or is localhost: harbor/app is "
    "docker.io/harbor/app.",
    _REFERENCE,
    "Use the registry's full name, or host:port.",
)
CONFIG_NOT_A_HOST = declare(
    "K3R204",
    ERROR,
    "configs key is a URL",
    "Credentials and TLS settings are looked up by the endpoint's host[:port], byte for byte: a key with a scheme or "
    "a path is never found.",
    _K3S + " configForHost; https://github.com/k3s-io/k3s/issues/1148",
    "Write only the host[:port] of the endpoint.",
)
CONFIG_HUB_ALIAS = declare(
    "K3R205",
    ERROR,
    "Credentials for another name of Docker Hub",
    "K3s asks Docker Hub at registry-1.docker.io: settings for index.docker.io or hub.docker.com are never used.",
    "https://github.com/k3s-io/k3s/issues/3937, https://github.com/k3s-io/k3s/issues/12561",
    "Use registry-1.docker.io (every release), or docker.io (v1.31.11, v1.32.7, v1.33.3 and later). RKE2 wants "
    "index.docker.io as well, for its own runtime image.",
)
CONFIG_UNUSED = declare(
    "K3R206",
    WARNING,
    "configs entry that no mirror uses",
    "It applies only to images whose name begins with exactly this host. There is an endpoint without an entry: if it "
    "was meant for that one, the two are written differently. A public cache takes no login and needs no entry.",
    _K3S + " configForHost; https://github.com/k3s-io/k3s/issues/11185",
    "Make it the host[:port] of the endpoint, or leave it for images of that registry.",
)
CONFIG_NEAR_MISS = declare(
    "K3R207",
    WARNING,
    "configs key that differs from an endpoint only by port or case",
    "The key must equal the endpoint's host[:port] byte for byte; otherwise credentials and TLS settings are ignored "
    "without a word.",
    "https://github.com/k3s-io/k3s/issues/1148, https://github.com/k3s-io/k3s/issues/4637, "
    "https://github.com/k3s-io/k3s/issues/12438",
    "Write the key exactly as the endpoint's host[:port].",
)
MIRROR_SPELLING = declare(
    "K3R208",
    WARNING,
    "Mirror name that differs from the usual one by port or case",
    "Mirrors are found by the registry as image names write it: with upper case letters or :443 it applies only to "
    "images that are named that way.",
    "containerd core/remotes/docker/config/hosts.go; https://github.com/k3s-io/k3s/issues/10358",
    "Write it in lower case and without :443.",
)
NAME_UNPARSABLE = declare(
    "K3R209",
    ERROR,
    "Name that K3s ignores",
    "Go cannot parse it as the host of a URL; K3s logs an error and leaves the whole entry out.",
    _K3S + " defaultHostConfig",
    "Write host[:port]; an IPv6 address in brackets and quotes.",
)


def bare_host(name: str) -> str:
    """The host[:port] in a URL or an image name."""
    rest = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*:/+", "", name).lstrip("/")
    return re.split(r"[/?#\\]", rest.rpartition("@")[2], maxsplit=1)[0]


def is_url(name: str) -> bool:
    """Whether a name has a part that the name of a registry never has: a scheme, a user, a path."""
    return "/" in name or "@" in name or "?" in name or "\\" in name or bool(_SCHEME.match(name))


def is_hub_alias(name: str) -> bool:
    """Whether K3s never uses settings under this name of Docker Hub."""
    return name.lower() in _HUB_ALIASES and name != DOCKER_HUB_HOST


@checks(MIRROR_NOT_A_REGISTRY)
def mirrors_named_by_url(subject: Subject) -> Findings:
    for name in subject.mirrors:
        if is_url(name):
            host = bare_host(name)
            fix = f"Name the mirror {quoted(host)}." if host else ""
            yield MIRROR_NOT_A_REGISTRY.finding(
                path("mirrors", name), f"{quoted(name)} is no registry name: image names begin with host[:port]", fix
            )


@checks(MIRROR_HUB_ALIAS)
def mirrors_of_hub_aliases(subject: Subject) -> Findings:
    for name in subject.mirrors:
        if name.lower() in _HUB_ALIASES:
            yield MIRROR_HUB_ALIAS.finding(path("mirrors", name), f"no image is named {name}/...: this is docker.io")


@checks(MIRROR_NOT_A_HOST)
def mirrors_that_are_no_host(subject: Subject) -> Findings:
    for name in subject.mirrors:
        if name in (WILDCARD, "localhost") or is_url(name) or "." in name or ":" in name or name != name.lower():
            continue
        what = f"{quoted(name)} has neither dot nor port" if name else "the name is empty"
        yield MIRROR_NOT_A_HOST.finding(path("mirrors", name), f"{what}: no image name begins with it as a registry")


@checks(MIRROR_SPELLING)
def mirrors_spelled_unusually(subject: Subject) -> Findings:
    for name in subject.mirrors:
        if is_url(name):
            continue
        usual = name.lower()
        if usual.endswith(":443"):
            usual = usual[: -len(":443")]
        if usual != name and usual not in subject.mirrors:
            yield MIRROR_SPELLING.finding(
                path("mirrors", name), f"applies only to images named {quoted(name)}", f"Did you mean {quoted(usual)}?"
            )


@checks(CONFIG_NOT_A_HOST)
def configs_named_by_url(subject: Subject) -> Findings:
    for name in subject.configs:
        if is_url(name):
            host = bare_host(name)
            fix = f"Write {quoted(host)}, the endpoint's host[:port]." if host else ""
            yield CONFIG_NOT_A_HOST.finding(
                path("configs", name), f"{quoted(name)} is a URL; K3s looks for the endpoint's host[:port]", fix
            )


@checks(CONFIG_HUB_ALIAS)
def configs_of_hub_aliases(subject: Subject) -> Findings:
    works = [name for name in (DOCKER_HUB_HOST, DOCKER_HUB) if name in subject.configs]
    for name in subject.configs:
        if is_hub_alias(name) and not (works and name == "index.docker.io"):
            yield CONFIG_HUB_ALIAS.finding(path("configs", name), f"K3s never uses settings for {name}")


@checks(CONFIG_UNUSED, CONFIG_NEAR_MISS)
def configs_without_endpoint(subject: Subject) -> Findings:
    if subject.has_open_endpoints:
        return
    waiting = _endpoints_that_wait(subject)
    for name, settings in subject.configs.items():
        if name == WILDCARD or is_url(name) or name.lower() in _HUB_ALIASES or subject.is_used(name):
            continue
        if settings["auth"] is None and settings["tls"] is None:
            continue
        similar = subject.nearly(name)
        if similar:
            meant = listed([quoted(host) for host in similar])
            yield CONFIG_NEAR_MISS.finding(
                path("configs", name),
                f"{quoted(name)} is not the host of any endpoint, {meant} is: these settings do not reach it",
                f"Did you mean {meant}?",
            )
        elif waiting and can_be_named(name):
            yield CONFIG_UNUSED.finding(
                path("configs", name),
                f"no endpoint and no mirror has the host {quoted(name)}: the settings apply only to images named so",
            )


@checks(NAME_UNPARSABLE)
def names_that_k3s_ignores(subject: Subject) -> Findings:
    for section, names in (("mirrors", subject.mirrors), ("configs", subject.configs)):
        for name in names:
            if name in subject.endpoint_hosts:
                continue  # the host of a URL that Go has parsed
            default = subject.default(name)
            if isinstance(default, EndpointError):
                yield NAME_UNPARSABLE.finding(path(section, name), f"K3s leaves it out: {_reason(default, name)}")


def _reason(error: EndpointError, name: str) -> str:
    """Go's words, which quote the URL: without the user information in it."""
    return "Go cannot parse it as a URL" if "@" in name else redacted(str(error))


def _endpoints_that_wait(subject: Subject) -> bool:
    """Whether there is an endpoint that an entry may have been meant for: one of nobody's public registries or caches
    that has none."""
    return any(
        host not in subject.configs and not is_public_cache(host) and not public_registry(host)
        for host in subject.endpoint_hosts
    )
