# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings as commands of GitHub Actions, which shows them beside the lines of a pull request."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import CATALOGUE
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.visible import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.outcome import Outcome

from .plain import summary


def lines(outcome: Outcome) -> list[str]:
    """A workflow command for each finding, and the summary."""
    said = []
    for finding in outcome.findings:
        properties = {
            "file": visible(finding["file"]),
            "line": str(finding.get("line", "")),
            "col": str(finding.get("column", "")),
            "title": f"{finding['code']} {CATALOGUE[finding['code']].title}",
        }
        shown = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
        where = f"{finding['path']}: " if finding["path"] else ""
        text = f"{where}{finding['message']}\nFix: {finding['fix']}"
        said.append(f"::{finding['level']} {shown}::{_data(text)}")
    return [*said, summary(outcome)]


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
