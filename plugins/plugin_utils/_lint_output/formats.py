# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms in which findings are given: for people, and for machines."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.outcome import Outcome

from . import github, machine, plain, sarif

#: Those that are read where they are printed; the others are one document each, and have a file of their own.
PRINTED = ("text", "github")
FORMATS = (*PRINTED, "json", "sarif")


def rendered(outcome: Outcome, output: str) -> str:
    """The findings in one of `FORMATS`, with a line break at the end."""
    if output in PRINTED:
        lines = plain.lines(outcome) if output == "text" else github.lines(outcome)
        return "\n".join(lines) + "\n"
    return machine.text(outcome) if output == "json" else sarif.text(outcome)
