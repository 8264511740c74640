# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds what is wrong with a registries configuration before a node gets it."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.known import known_secrets, without_known
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import (
    Release,
    ReleaseError,
    parse_release,
)

# Imported for their checks: the order here is the order of findings.
from . import mirror_names, reach, endpoints, credentials, tls, rewrites, fallback, surroundings, releases  # isort: skip
from .catalogue import CHECKS, ERROR
from .echoes import without_echoes
from .shape import Reader
from .subject import Subject

__all__ = [
    "credentials", "endpoints", "examine", "fallback", "lint", "mirror_names", "reach", "rewrites", "surroundings",
    "tls",
]  # fmt: skip


def lint(
    config: Any,
    k3s_version: str = "",
    default_endpoint: bool = True,
    embedded_mirror: str = "",
    images: Sequence[str] = (),
    shipping_keys: bool = False,
    environment: Mapping[str, str] | None = None,
    config_template: str = "",
) -> list[dict[str, str]]:
    """Everything that K3s or containerd would refuse, drop or misuse, and what is likely not meant.

    config: the configuration as a dict, in any state: unknown keys, wrong types and anything else YAML can express
        become findings. Nothing in it makes this function raise.
    k3s_version: release of the nodes (`v1.34.3+k3s1`), for the rules about releases; empty: unknown.
    default_endpoint: false where nodes run with `disable-default-registry-endpoint`.
    embedded_mirror: address of the embedded registry mirror (`127.0.0.1:6443`), empty where it is off.
    images: names of images that the nodes will pull.
    shipping_keys: whether `tls` may hold this collection's own keys (`ca_src`, `ca_content`, ...): true for the
        variable `k3s_registries`, false for a registries.yaml.
    environment: environment of the K3s service, for the rule about proxies.
    config_template: path of a custom template of containerd's configuration on the nodes, empty if there is none.

    Returns the findings, errors first: dicts of `code`, `level` (`error` or `warning`), `path`, `message` and `fix`.
    No secret (password, auth, identity_token, user information of URLs) appears in any of them.
    """
    reader = Reader(shipping_keys)
    reader.read(config)
    return examine(
        reader.findings,
        reader.config,
        reader.shipped,
        k3s_version,
        default_endpoint,
        embedded_mirror,
        images,
        environment,
        config_template,
    )


def examine(
    found: Sequence[dict[str, str]],
    config: Mapping[str, Any],
    shipped: Mapping[str, Mapping[str, str]],
    k3s_version: str = "",
    default_endpoint: bool = True,
    embedded_mirror: str = "",
    images: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    config_template: str = "",
) -> list[dict[str, str]]:
    """The findings about the meaning of a configuration whose shape has been read already, after those in `found`.

    config: what K3s keeps, every known key present. shipped: what stood under the collection's own keys, by host.
    The other arguments are those of `lint`.
    """
    findings = list(found)
    release: Release | None = None
    if k3s_version:
        try:
            release = parse_release(k3s_version)
        except ReleaseError as error:
            findings.append(releases.NOT_A_RELEASE.finding("k3s_version", str(error)))
    subject = Subject(
        config,
        shipped,
        default_endpoint,
        embedded_mirror,
        release,
        images,
        environment or {},
        config_template,
    )
    for check, _rules in CHECKS:
        findings.extend(check(subject))
    findings = without_echoes(findings)
    # Rules name parts of what is written, such as the path of a URL that a slash in its password has begun.
    secrets = known_secrets(config)
    shown = [{key: without_known(text, secrets) for key, text in finding.items()} for finding in findings]
    unique = {tuple(sorted(finding.items())): finding for finding in shown}
    return sorted(unique.values(), key=lambda finding: finding["level"] != ERROR)
