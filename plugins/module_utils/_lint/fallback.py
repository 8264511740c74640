# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default endpoint: when containerd still asks the registry itself, although it should not."""

from __future__ import annotations

from typing import Dict, Iterable

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.go_ip import is_localhost

from .catalogue import WARNING, checks, declare
from .naming import path, quoted
from .subject import Subject

Findings = Iterable[Dict[str, str]]

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


@checks(FALLBACK_BACK)
def default_endpoints_brought_back(subject: Subject) -> Findings:
    if subject.default_endpoint:
        return
    for name in subject.configs:
        if name in subject.mirrors and name != "*":
            yield FALLBACK_BACK.finding(
                path("configs", name), f"{quoted(name)} is asked itself, although the default endpoint is disabled"
            )


@checks(BARE_MIRROR)
def bare_mirrors(subject: Subject) -> Findings:
    if subject.default_endpoint:
        return
    for name, mirror in subject.mirrors.items():
        embedded = bool(subject.embedded_mirror) and not is_localhost(name)
        if not mirror["endpoint"] and not embedded and name not in subject.configs:
            yield BARE_MIRROR.finding(
                path("mirrors", name), f"{quoted(name)} is asked itself, although the default endpoint is disabled"
            )
