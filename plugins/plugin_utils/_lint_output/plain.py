# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings as text for people, as compilers write them."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.visible import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.outcome import Outcome
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import counted


def lines(outcome: Outcome) -> list[str]:
    """Every finding with the line that it is about, and a summary as the last line."""
    said = []
    for finding in outcome.findings:
        said += _finding(finding)
    return [*said, summary(outcome)]


def summary(outcome: Outcome) -> str:
    """How many findings there are in how many files."""
    files = counted(len(outcome.files), "file")
    ignored = f" ({len(outcome.ignored)} ignored)" if outcome.ignored else ""
    if not outcome.findings:
        return f"{files}: no findings{ignored}"
    return f"{files}: {counted(outcome.errors, 'error')}, {counted(outcome.warnings, 'warning')}{ignored}"


def place(finding: Mapping[str, Any]) -> str:
    """`registries.yaml:3:5`, or without line and column if it has none."""
    parts = [visible(finding["file"])] if finding["file"] else []
    parts += [str(finding[key]) for key in ("line", "column") if key in finding]
    return ":".join(parts)


def _finding(finding: Mapping[str, Any]) -> list[str]:
    where = place(finding)
    head = (f"{where}: " if where else "") + "%(level)s %(code)s" % finding
    said = [f"{head} {finding['path']}" if finding["path"] else head]
    if "excerpt" in finding:
        line, marker = finding["excerpt"]
        number = str(finding["line"])
        said += [f"  {number} | {line}", f"  {' ' * len(number)} | {marker}"]
    return [*said, f"  {finding['message']}", f"  fix: {finding['fix']}", ""]
