# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the node's release lacks or is known to get wrong. The facts are those of `_rules.release`."""

from __future__ import annotations

from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import DOCKER_HUB, DOCKER_HUB_HOST
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.known_problems import (
    known_problems,
    releases_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import (
    CONTAINERD_HOSTS_DIRECTORY,
    lacking_features,
)

from .catalogue import ERROR, WARNING, Findings, Rule, checks, declare
from .naming import path
from .reach import endpoints_missed
from .subject import Subject

_UPGRADE = "Upgrade the node, or do without."

#: Rules by the feature's name in `_rules.release.FEATURES`.
LACKING: dict[str, Rule] = {
    "disable_default_endpoint": declare(
        "K3R401",
        ERROR,
        "Release without disable-default-registry-endpoint",
        "The release does not know the option, and does not start with it.",
        "https://github.com/k3s-io/k3s/issues/8975",
        _UPGRADE,
    ),
    "embedded_registry": declare(
        "K3R402",
        ERROR,
        "Release without the embedded registry mirror",
        "The release does not know the option embedded-registry, and does not start with it.",
        "https://docs.k3s.io/installation/registry-mirror",
        _UPGRADE,
    ),
    "wildcard": declare(
        "K3R403",
        ERROR,
        "Release without wildcard entries",
        'The release takes "*" for the name of a registry: the entry is never used.',
        "https://docs.k3s.io/installation/private-registry (Wildcard Support)",
        "Upgrade the node, or name each registry.",
    ),
    "docker_io_credentials": declare(
        "K3R404",
        ERROR,
        "Release that does not find credentials under docker.io",
        "containerd asks for the credentials of registry-1.docker.io; this release does not translate the name.",
        "https://github.com/k3s-io/k3s/issues/12561",
        f"Write them under {DOCKER_HUB_HOST}, which every release finds.",
    ),
}
NOT_A_RELEASE = declare(
    "K3R405",
    WARNING,
    "Release that cannot be read",
    "Without the release nothing can be said about what it lacks or gets wrong.",
    "https://github.com/k3s-io/k3s/releases",
    "Give it as `k3s --version` prints it: v1.34.3+k3s1 or v1.34.3+rke2r1.",
)
NOT_PREDICTABLE = declare(
    "K3R406",
    WARNING,
    "Release before January 2024",
    "It writes mirrors into containerd's main configuration by rules of its own. What lint says about the meaning of "
    "a configuration is about later releases.",
    CONTAINERD_HOSTS_DIRECTORY.source,
    "Upgrade the node.",
)
UNSURE_DOCKER_IO = declare(
    "K3R407",
    WARNING,
    "Credentials under docker.io, and no release is given",
    "Releases before v1.31.11, v1.32.7 and v1.33.3 do not find them: containerd asks for the credentials of "
    "registry-1.docker.io. With the release this is K3R404, or nothing.",
    "https://github.com/k3s-io/k3s/issues/12561",
    f"Write them under {DOCKER_HUB_HOST}, which every release finds, or give the release.",
)
#: Rules by the problem's name in `_rules.known_problems`.
KNOWN: dict[str, Rule] = {
    name: declare(
        code, WARNING, title, f"{why} {releases_of(name)}", source, "Upgrade the node to the release that has it fixed."
    )
    for name, code, title, why, source in (
        (
            "duplicate_endpoint",
            "K3R411",
            "Known problem: endpoint listed twice",
            "containerd refuses the registry's whole hosts.toml (duplicated tables) and asks the registry itself.",
            "https://github.com/k3s-io/k3s/issues/9693",
        ),
        (
            "listed_default_endpoint",
            "K3R412",
            "Known problem: default endpoint listed",
            "Listing the registry's own default endpoint can drop the mirror's whole hosts.toml.",
            "https://github.com/k3s-io/k3s/issues/9637",
        ),
        (
            "tls_without_mirror",
            "K3R413",
            "Known problem: TLS settings without mirror",
            "TLS settings of a registry without mirror endpoints are ignored (invalid `host` tree).",
            "https://github.com/k3s-io/k3s/issues/9839",
        ),
        (
            "rewrite_token_scope",
            "K3R414",
            "Known problem: rewrites with credentials",
            "The token for a second endpoint is asked for the wrong repository, and the pull is refused.",
            "https://github.com/k3s-io/k3s/issues/11191",
        ),
        (
            "wildcard_fallback",
            "K3R415",
            "Known problem: wildcard mirror without fallback",
            "Images that the wildcard mirror lacks are not looked for at their own registry.",
            "https://github.com/k3s-io/k3s/issues/11857",
        ),
        (
            "ipv6_endpoint",
            "K3R416",
            "Known problem: IPv6 endpoint",
            "containerd 1.x refuses the registry's whole hosts.toml (table key cannot contain ']').",
            "https://github.com/k3s-io/k3s/issues/9897",
        ),
        (
            "embedded_registry_experimental",
            "K3R417",
            "Known problem: experimental embedded registry mirror",
            "Before it was declared stable, a mirror that answers 500 could hide every other error.",
            "https://github.com/k3s-io/k3s/issues/10351",
        ),
        (
            "bare_endpoint",
            "K3R418",
            "Known problem: endpoint without scheme",
            "The first builds of January 2024 do not use endpoints written without https://.",
            "https://github.com/k3s-io/k3s/issues/9322",
        ),
        (
            "embedded_wildcard",
            "K3R419",
            "Known problem: embedded registry for all registries",
            'Under "*" alone the embedded registry takes no image of any registry for one that it may share. Each '
            "registry by its name works.",
            "https://github.com/k3s-io/k3s/issues/13526 and its backports 13539 to 13542",
        ),
        (
            "embedded_imports",
            "K3R420",
            "Known problem: imported images are not shared",
            "Images from agent/images or from ctr have no digest of their own, which these releases ask for before "
            "they share one; only what the kubelet or crictl has pulled is shared.",
            "https://github.com/k3s-io/k3s/issues/13222 and its backports 13230 to 13233",
        ),
        (
            "embedded_without_mirrors",
            "K3R421",
            "Known problem: RKE2 does not start with an embedded registry without mirrors",
            "It waits for the embedded registry, which does not start without a mirror, and gives up.",
            "https://github.com/rancher/rke2/issues/9755 and its backports 9761 to 9764",
        ),
    )
}


@checks(*LACKING.values())
def features_the_release_lacks(subject: Subject) -> Findings:
    if subject.release is None:
        return
    config: Any = {"mirrors": subject.mirrors, "configs": subject.configs}
    for lacking in lacking_features(config, subject.default_endpoint, bool(subject.embedded_mirror), subject.release):
        rule = LACKING[lacking["feature"]]
        yield rule.finding(_place(lacking["path"], subject), lacking["message"])


@checks(UNSURE_DOCKER_IO)
def docker_io_credentials_on_any_release(subject: Subject) -> Findings:
    if subject.release is not None or not subject.has_auth(DOCKER_HUB) or subject.has_auth(DOCKER_HUB_HOST):
        return
    if not endpoints_missed(subject, DOCKER_HUB):  # which has a rule of its own
        yield UNSURE_DOCKER_IO.finding(
            path("configs", DOCKER_HUB, "auth"), "older releases do not find credentials under docker.io"
        )


@checks(NOT_PREDICTABLE)
def releases_before_hosts_toml(subject: Subject) -> Findings:
    if subject.release is not None and not CONTAINERD_HOSTS_DIRECTORY.passed(subject.release):
        since = CONTAINERD_HOSTS_DIRECTORY.since(subject.release)
        yield NOT_PREDICTABLE.finding("", f"{subject.release.text} writes no hosts.toml; {since} and later do")


@checks(*KNOWN.values())
def problems_the_release_has(subject: Subject) -> Findings:
    if subject.release is None:
        return
    config: Any = {"mirrors": subject.mirrors, "configs": subject.configs}
    for known in known_problems(config, subject.default_endpoint, bool(subject.embedded_mirror), subject.release):
        fix = f"Upgrade the node to {known['fixed_in']} or later."
        yield KNOWN[known["problem"]].finding(_place(known["path"], subject), known["message"], fix)


def _place(text: str, subject: Subject) -> str:
    """A path of `_rules`, whose names stand unquoted (`mirrors.docker.io.endpoint[0]`), as lint writes paths."""
    section, _dot, rest = text.partition(".")
    names = {"mirrors": subject.mirrors, "configs": subject.configs}.get(section, {})
    for name in sorted(names, key=len, reverse=True):
        if rest == name or rest.startswith(f"{name}."):
            return path(section, name) + rest[len(name) :]
    return text
