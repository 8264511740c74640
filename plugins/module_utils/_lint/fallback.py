# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default endpoint: when containerd still asks the registry itself, although it should not."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_ip import is_localhost

from .catalogue import WARNING, Findings, checks, declare
from .naming import path, quoted
from .subject import Subject

_K3S = "k3s-io/k3s pkg/agent/containerd/config.go getHostConfigs"

FALLBACK_BACK = declare(
    "K3R250",
    WARNING,
    "configs entry brings the default endpoint back",
    "disable-default-registry-endpoint leaves the default endpoint out only for mirrored registries without an entry "
    "of the same name under configs; even an empty one brings it back.",
    _K3S,
    "Remove the entry, or give the settings under the host[:port] of the endpoint.",
)
BARE_MIRROR = declare(
    "K3R251",
    WARNING,
    "Mirror without endpoints does not keep pulls inside",
    "Without endpoints and without the embedded registry mirror K3s writes nothing for this registry, so "
    "disable-default-registry-endpoint does not hold for it: containerd asks the registry itself.",
    _K3S,
    "Give it an endpoint, or turn the embedded registry mirror on.",
)
BARE_MIRROR_ALONE = declare(
    "K3R273",
    WARNING,
    "Mirror without endpoints does nothing",
    "Without endpoints a mirror only says that the embedded registry may share its images. With that off K3s "
    "writes nothing, and the registry itself is asked.",
    "https://docs.k3s.io/installation/registry-mirror (Enabling Registry Mirroring); " + _K3S,
    "Give it an endpoint, turn the embedded registry on, or remove it.",
)
NOTHING_SHARED = declare(
    "K3R274",
    WARNING,
    "Embedded registry without mirrors",
    "The embedded registry shares the images of the registries that stand under mirrors, and does not start without "
    "one: Not starting distributed registry mirror. Registries on this machine do not count.",
    "https://docs.k3s.io/installation/registry-mirror (Enabling Registry Mirroring); "
    "https://github.com/k3s-io/k3s/issues/10364; k3s-io/k3s pkg/spegel/spegel.go",
    'Name the registries under mirrors, without endpoints if need be, or all of them by "*".',
)


@checks(FALLBACK_BACK)
def default_endpoints_brought_back(subject: Subject) -> Findings:
    if subject.default_endpoint:
        return
    for name in subject.configs:
        if name in subject.mirrors and name != "*":
            yield FALLBACK_BACK.finding(
                path("configs", name), f"{quoted(name)} is asked itself, although the default endpoint is disabled"
            )


@checks(BARE_MIRROR, BARE_MIRROR_ALONE)
def bare_mirrors(subject: Subject) -> Findings:
    for name, mirror in subject.mirrors.items():
        embedded = bool(subject.embedded_mirror) and not is_localhost(name)
        if mirror["endpoint"] or embedded:
            continue
        if not subject.default_endpoint:
            if name not in subject.configs:
                yield BARE_MIRROR.finding(
                    path("mirrors", name), f"{quoted(name)} is asked itself, although the default endpoint is disabled"
                )
        elif not mirror["rewrite"] and not subject.nodes.embedded_unknown:  # a rewrite has a rule of its own
            yield BARE_MIRROR_ALONE.finding(
                path("mirrors", name), f"{quoted(name)} has no endpoint, and does nothing without the embedded registry"
            )


@checks(NOTHING_SHARED)
def embedded_registry_without_mirrors(subject: Subject) -> Findings:
    if subject.embedded_mirror and all(is_localhost(name) for name in subject.mirrors):
        yield NOTHING_SHARED.finding(
            path("mirrors"), "no registry is named whose images the embedded registry may share"
        )
