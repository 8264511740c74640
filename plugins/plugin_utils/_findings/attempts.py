# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containerd asks for when it pulls an image, as lines for people."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import NodeFacts
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import redact, visible
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rewrite_engine import rewrite_engine


def attempt_lines(image: str, config: Config, nodes: NodeFacts) -> list[str]:
    """The attempts for an image, in order.

    :raises ImageError: if containerd does not accept the name.
    """
    attempts = resolve_image(image, config, nodes.default_endpoint, nodes.embedded_mirror, rewrite_engine())
    lines = ["%d. %s" % (number, _line(attempt)) for number, attempt in enumerate(attempts, 1)]
    return [visible(redact(line)) for line in lines] or ["nothing is asked"]


def _line(attempt: Mapping[str, Any]) -> str:
    parts = ["%-8s  %s" % (attempt["kind"], attempt["url"])]
    if attempt["auth"]:
        parts.append("with credentials")
    parts += ["%s=%s" % pair for pair in attempt["tls"].items()]
    if "rewrite_ambiguous" in attempt:
        parts.append("(or %s: several rewrites match)" % ", ".join(attempt["repository_alternatives"]))
    if "https_first" in attempt:
        parts.append("(https first)")
    if "request_error" in attempt:
        parts.append("(not asked: %s)" % attempt["request_error"])
    if "hosts_toml_error" in attempt:
        parts.append("(mirror ignored: %s)" % attempt["hosts_toml_error"])
    return "  ".join(parts)
