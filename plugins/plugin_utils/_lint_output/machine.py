# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings as one JSON document of our own form."""

from __future__ import annotations

import json

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.visible import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.outcome import Outcome

#: Changes if a key changes its meaning or goes; new keys may come without it.
VERSION = 1


def text(outcome: Outcome) -> str:
    """The document, with a line break at its end."""
    document = {
        "version": VERSION,
        "files": [visible(name) for name in outcome.files],
        "errors": outcome.errors,
        "warnings": outcome.warnings,
        "findings": [{**finding, "file": visible(finding["file"])} for finding in outcome.findings],
        "ignored": [{**finding, "file": visible(finding["file"])} for finding in outcome.ignored],
    }
    return json.dumps(document, indent=2) + "\n"
