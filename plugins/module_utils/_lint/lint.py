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
from .node_facts import UNKNOWN, NodeFacts
from .shape import Reader
from .subject import Subject

__all__ = [
    "credentials", "endpoints", "examine", "fallback", "lint", "mirror_names", "reach", "rewrites", "surroundings",
    "tls",
]  # fmt: skip


def lint(config: Any, nodes: NodeFacts = UNKNOWN, shipping_keys: bool = False) -> list[dict[str, Any]]:
    """Everything that K3s or containerd would refuse, drop or misuse, and what is likely not meant.

    config: the configuration as a dict, in any state: unknown keys, wrong types and anything else YAML can express
        become findings. Nothing in it makes this function raise.
    nodes: what is known of the nodes that get it.
    shipping_keys: whether `tls` may hold this collection's own keys (`ca_src`, `ca_content`, ...): true for the
        variable `k3s_registries`, false for a registries.yaml.

    Returns the findings, errors first: dicts of `code`, `level` (`error` or `warning`), `path`, `message` and `fix`.
    No secret (password, auth, identity_token, user information of URLs) appears in any of them.
    """
    reader = Reader(shipping_keys)
    reader.read(config)
    return examine(reader.findings, reader.config, reader.shipped, nodes)


def examine(
    found: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    shipped: Mapping[str, Mapping[str, str]],
    nodes: NodeFacts,
) -> list[dict[str, Any]]:
    """The findings about the meaning of a configuration whose shape has been read already, after those in `found`.

    found: what its shape has told; keys beside the five, such as `line`, stay as they are.
    config: what K3s keeps, every known key present. shipped: what stood under the collection's own keys, by host.
    """
    findings = [dict(finding) for finding in found]
    release: Release | None = None
    if nodes.k3s_version:
        try:
            release = parse_release(nodes.k3s_version)
        except ReleaseError as error:
            findings.append(releases.NOT_A_RELEASE.finding("k3s_version", str(error)))
    subject = Subject(config, shipped, nodes, release)
    for check, _rules in CHECKS:
        findings.extend(check(subject))
    findings = without_echoes(findings)
    # Rules name parts of what is written, such as the path of a URL that a slash in its password has begun.
    secrets = known_secrets(config)
    shown = [
        {key: without_known(value, secrets) if isinstance(value, str) else value for key, value in finding.items()}
        for finding in findings
    ]
    unique = {tuple(sorted(finding.items())): finding for finding in shown}
    return sorted(unique.values(), key=lambda finding: finding["level"] != ERROR)
