# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an entry of `configs` reaches: the endpoints of its own host[:port], and no others.

An entry under the name of a mirror is legal, and reaches the one endpoint that nobody lists: the default one, the
registry of that name itself. Most people who write it mean the endpoints above it.
"""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import (
    DOCKER_HUB,
    DOCKER_HUB_HOST,
    WILDCARD,
)

from .catalogue import ERROR, WARNING, Findings, checks, declare
from .known_registries import can_be_named, is_public_cache, public_registry
from .mirror_names import is_url
from .naming import listed, path, quoted
from .subject import Subject

_SOURCE = (
    "k3s-io/k3s pkg/agent/containerd/config.go configForHost; https://github.com/k3s-io/k3s/issues/11185, "
    "https://github.com/rancher/rke2/issues/2167, https://github.com/k3d-io/k3d/issues/192, "
    "https://github.com/k3s-io/k3s/issues/13215"
)
_MEANT = (
    "It counts as meant for the registry itself, and nothing is said, if an endpoint of the mirror has an entry of its "
    "own; if every endpoint is a public cache, which takes no login (mirror.gcr.io and some thirty others that lint "
    "knows); if it stands under registry-1.docker.io; or if its credentials can only be that registry's (a dckr_pat_ "
    "token for Docker Hub, ghp_ for ghcr.io, glpat- for GitLab, the user AWS for ECR and the like). TLS settings under "
    "docker.io are never meant for Docker Hub."
)

NEVER_ASKED = declare(
    "K3R270",
    ERROR,
    "Settings for a registry that is not asked",
    "An entry of configs reaches the endpoint of its own host[:port]. Under the name of a mirror that is the registry "
    "itself, and K3s does not ask that one: the default endpoint is disabled, or no image can name it.",
    _SOURCE,
    "Write them under the host[:port] of each endpoint.",
)
DEFAULT_ONLY = declare(
    "K3R271",
    WARNING,
    "Settings under the mirror's name instead of the endpoint's host",
    "An entry of configs reaches the endpoint of its own host[:port]. Under the name of a mirror that is the registry "
    "itself, which is asked last; the endpoints of the mirror get no credentials and no TLS settings. " + _MEANT,
    _SOURCE,
    "Write them under the host[:port] of each endpoint.",
)
# How the credentials of a public registry begin, by the registry.
_TOKENS = {
    DOCKER_HUB: ("dckr_pat_", "dckr_oat_"),
    "ghcr.io": ("ghp_", "github_pat_", "gho_", "ghs_", "ghu_"),
    "registry.gitlab.com": ("glpat-", "gldt-", "glcbt-"),
}
# Users that only registries with such a name know.
_USERS = {
    ".gcr.io": ("_json_key", "_json_key_base64", "oauth2accesstoken"),
    ".pkg.dev": ("_json_key", "_json_key_base64", "oauth2accesstoken"),
    ".azurecr.io": ("00000000-0000-0000-0000-000000000000",),
    ".amazonaws.com": ("AWS",),
    ".ecr.aws": ("AWS",),
    ".icr.io": ("iamapikey", "iambearer"),
}


@checks(NEVER_ASKED, DEFAULT_ONLY)
def settings_that_miss_the_endpoints(subject: Subject) -> Findings:
    for name, settings in subject.configs.items():
        if name == WILDCARD or is_url(name) or not (subject.has_auth(name) or subject.has_tls(name)):
            continue
        hosts = endpoints_missed(subject, name)
        nameable = can_be_named(name)
        if hosts and subject.default_endpoint and nameable:
            if not _is_meant(name, settings):
                yield DEFAULT_ONLY.finding(
                    path("configs", name),
                    f"{_entry(name)} reaches only the default endpoint of {quoted(name)}; {_without_entry(hosts)}",
                    f"Write it under {listed([quoted(host) for host in hosts[:3]], 'and')}.",
                )
        elif hosts:
            why = "which K3s does not ask" if nameable else "which no image can name"
            yield NEVER_ASKED.finding(
                path("configs", name),
                f"{_entry(name)} reaches only {quoted(name)} itself, {why}; {_without_entry(hosts)}",
                f"Write it under {listed([quoted(host) for host in hosts[:3]], 'and')}.",
            )
        elif not nameable and not subject.has_open_endpoints and not _is_host_of_an_endpoint(name, subject):
            yield NEVER_ASKED.finding(
                path("configs", name),
                f"{quoted(name)} is the host of no endpoint, and no image can name it",
                "Write the host[:port] of the registry, with its domain.",
            )


def _entry(name: str) -> str:
    return f"configs.{quoted(name)}"


def _is_host_of_an_endpoint(name: str, subject: Subject) -> bool:
    """Whether an endpoint has this host, with or without a port: that the port differs has a rule of its own."""
    return any(host.lower().partition(":")[0] == name.lower() for host in subject.endpoint_hosts)


def _without_entry(hosts: list[str]) -> str:
    names = listed([quoted(host) for host in hosts[:3]], "and")
    if len(hosts) == 1:
        return f"the endpoint {names} of its mirror has no entry of its own"
    return f"the endpoints {names} of its mirror have no entry of their own"


def endpoints_missed(subject: Subject, name: str) -> list[str]:
    """The hosts of a mirror's endpoints, if the entry of `configs` with its name reaches none of them and none has an
    entry of its own."""
    mirror = DOCKER_HUB if name == DOCKER_HUB_HOST and DOCKER_HUB in subject.mirrors else name
    found = subject.by_mirror.get(mirror, [])
    if not found or any(item.endpoint is None for item in found):
        return []
    hosts = list(dict.fromkeys(item.endpoint.registry for item in found if item.endpoint is not None))
    if any(host == mirror or host in subject.configs for host in hosts):
        return []
    return [] if name == DOCKER_HUB_HOST else [host for host in hosts if not is_public_cache(host)]


def _is_meant(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether the credentials can only be those of the registry itself."""
    auth = settings["auth"]
    if auth is None or not any(auth.values()):
        return False
    registry = public_registry(name)
    if registry == DOCKER_HUB and settings["tls"] is not None:
        return False
    if auth["password"].startswith(_TOKENS.get(registry, ("\0",))):
        return True
    return any(f".{name}".endswith(ending) and auth["username"] in users for ending, users in _USERS.items())
