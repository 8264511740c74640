# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containerd asks for when it pulls an image, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.node_facts import NodeFacts
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import redact, visible
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import ConfigError, normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import resolve_image
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rewrite_engine import rewrite_engine

from .given import read
from .outcome import Source

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import Config


def attempts_of(images: Sequence[str], sources: Iterable[Source], nodes: NodeFacts) -> list[str]:
    """The attempts for each image by each source without errors, each with a blank line and a heading before it."""
    lines = []
    for source in sources if images else ():
        given = read(source.content, nodes)
        if given.errors:
            lines += ["", visible("%s: its attempts are shown once its errors are gone" % source.name)]
            continue
        for image in images:
            lines += ["", visible("%s with %s:" % (redact(image), source.name))]
            try:
                lines += attempt_lines(image, normalise(dict(given.config or {})), nodes)
            except (ImageError, ConfigError) as error:
                lines.append(visible(redact(str(error))))
    return lines


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
