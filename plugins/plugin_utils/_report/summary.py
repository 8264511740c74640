# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in numbers, for places that take only numbers: set_stats, a chat message, a monitoring check."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.levels import worst

from . import certificates, credentials, findings, nodes, overview, pulls


def summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """``{headline, level, nodes, attention, conditions, findings, failing_pulls, expiring_certificates,
    expiring_credentials}``."""
    rows = nodes.nodes(document)
    return {
        "headline": overview.headline(rows),
        "level": worst(row.level for row in rows),
        "nodes": len(rows),
        "attention": sum(row.troubled for row in rows),
        "conditions": {part.key: part.number for part in overview.legend(rows)},
        "findings": len(findings.findings(document)),
        "failing_pulls": len(pulls.failing_pulls(document)),
        "expiring_certificates": sum(item.level != "ok" for item in certificates.certificates(document)),
        "expiring_credentials": len(credentials.ending(document)),
    }
