# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a verification: a table of nodes by endpoints, for a terminal and for AWX."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import fleet
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import shortened
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import natural

#: Beyond this width the endpoints' names go below the table and numbers stand for them.
_WIDEST = 150
_LONGEST_REASON = 300
_STATES = {
    "not_installed": "not installed",
    "not_set_up": "not set up",
    "unreadable": "unreadable",
    "foreign": "not ours",
}


def table(verdicts: Iterable[Mapping[str, Any]], reasons: bool = True) -> list[str]:
    """The lines: the table, then what is wrong with each node that does not pass, then a line that sums up.

    :param verdicts: see ``verdict``.
    :param reasons: whether failures and warnings are listed, each once with the nodes that have it.
    """
    found = sorted(verdicts, key=lambda item: natural(str(item["host"])))
    endpoints = list(dict.fromkeys(endpoint for item in found for endpoint in item["cells"]))
    lines = _grid(found, endpoints, endpoints)
    if max((len(line) for line in lines), default=0) > _WIDEST:
        numbers = ["[%d]" % number for number in range(1, len(endpoints) + 1)]
        lines = _grid(found, endpoints, numbers)
        lines += ["", *("%s %s" % pair for pair in zip(numbers, endpoints))]
    if any("(" in cell for item in found for cell in item["cells"].values()):
        lines.append("(in brackets: a fallback, which is not needed as long as the mirrors before it answer)")
    if reasons:
        lines += _reasons(found, "failures", "FAILED") + _reasons(found, "warnings", "warning")
    lines += ["", _sum(found)]
    return [visible(line) for line in lines]


def _sum(found: list[Mapping[str, Any]]) -> str:
    failed = fleet.failed(found)
    if failed:
        return "%d of %d nodes failed: %s" % (len(failed), len(found), shortened(failed))
    passed = "all %d nodes pass" % len(found) if len(found) != 1 else "the node passes"
    idle = fleet.idle(found)
    if not idle:
        return passed
    asked = "K3s is not running on %d of them, so nothing was asked there" % len(idle)
    return "%s, but %s: %s" % (passed, asked, shortened(idle))


def _grid(found: list[Mapping[str, Any]], endpoints: list[str], heads: list[str]) -> list[str]:
    rows = [["node", "", "state", "release", *heads, "canary"]]
    for item in found:
        rows.append(
            [
                str(item["host"]),
                "ok" if item["ok"] else "FAILED",
                _STATES.get(item["state"], item["state"]),
                item["release"] or "-",
                *(item["cells"].get(endpoint, "-") for endpoint in endpoints),
                item["canary"] or "-",
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def _reasons(found: list[Mapping[str, Any]], key: str, word: str) -> list[str]:
    """Each sentence once, with the nodes it is about; what most nodes have comes first."""
    nodes: dict[str, list[str]] = {}
    for item in found:
        for sentence in item[key]:
            nodes.setdefault(sentence, []).append(str(item["host"]))
    lines = []
    for sentence, hosts in sorted(nodes.items(), key=lambda pair: -len(pair[1])):
        text = sentence if len(sentence) <= _LONGEST_REASON * 2 else sentence[: _LONGEST_REASON * 2] + "..."
        lines += ["", "%s %s" % (word, shortened(hosts)), "  " + text]
    return lines
