# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a verification: a table of nodes by endpoints, for a terminal and for AWX."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import fleet
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import counted, shortened
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import natural

from .alike import alike, without_names

#: Beyond this width the endpoints' names go below the table and numbers stand for them.
_WIDEST = 150
_LONGEST_REASON = 300
#: Up to so many nodes have a row each. Above that, so many kinds of results, failures and warnings fill two screens.
_MOST_ROWS = 40
_MOST_KINDS = 25
_MOST_FAILURES = 12
_MOST_WARNINGS = 5
_STATES = {
    "not_installed": "not installed",
    "not_set_up": "not set up",
    "unreadable": "unreadable",
    "foreign": "not ours",
}


def table(verdicts: Iterable[Mapping[str, Any]], reasons: bool = True) -> list[str]:
    """The lines: the table, then what is wrong with each node that does not pass, then a line that sums up.

    A fleet of more nodes than fit on a screen gets a row for each kind of result instead, with what fails first.

    :param verdicts: see ``verdict``.
    :param reasons: whether failures and warnings are listed, each once with the nodes that have it.
    """
    found = sorted(verdicts, key=lambda item: natural(str(item["host"])))
    is_large = len(found) > _MOST_ROWS
    rows, left_out = alike(found, _MOST_KINDS if is_large else None)
    endpoints = list(dict.fromkeys(endpoint for item in found for endpoint in item["cells"]))
    lines = _grid(rows, endpoints, endpoints)
    if max((len(line) for line in lines), default=0) > _WIDEST:
        numbers = ["[%d]" % number for number in range(1, len(endpoints) + 1)]
        lines = _grid(rows, endpoints, numbers)
        lines += ["", *("%s %s" % pair for pair in zip(numbers, endpoints))]
    if left_out:
        lines.append("and other results on %s: %s" % (counted(len(left_out), "node"), shortened(left_out)))
    if any("(" in cell for item in found for cell in item["cells"].values()):
        lines.append("(in brackets: a fallback, which is not needed as long as the mirrors before it answer)")
    if reasons:
        lines += _reasons(found, "failures", "FAILED", _MOST_FAILURES if is_large else None)
        lines += _reasons(found, "warnings", "warning", _MOST_WARNINGS if is_large else None)
    if is_large:
        lines += ["", "Every node has a row of its own in the report: ansible-playbook k3sfleet.registries.report"]
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


def _reasons(found: list[Mapping[str, Any]], key: str, word: str, most: int | None) -> list[str]:
    """Each sentence once, with the nodes it is about; what most nodes have comes first.

    :param most: how many sentences at most; None for all.
    """
    nodes: dict[str, tuple[str, list[str]]] = {}
    for item in found:
        host, is_away = str(item["host"]), item["state"] == "unreachable"
        for sentence in item[key]:
            alike_for = without_names(sentence, host) if is_away else sentence
            nodes.setdefault(alike_for, (sentence, []))[1].append(host)
    by_nodes = sorted(nodes.values(), key=lambda pair: -len(pair[1]))
    lines = []
    for sentence, hosts in by_nodes[:most]:
        text = sentence if len(sentence) <= _LONGEST_REASON * 2 else sentence[: _LONGEST_REASON * 2] + "..."
        lines += ["", "%s %s" % (word, shortened(hosts)), "  " + text]
    rest = by_nodes[most:] if most is not None else []
    if rest:
        others = list(dict.fromkeys(host for _sentence, hosts in rest for host in hosts))
        lines += ["", "%s %s" % (word, shortened(others)), "  %s" % counted(len(rest), "other reason")]
    return lines
