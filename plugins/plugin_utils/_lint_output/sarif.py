# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings as SARIF 2.1.0, which code scanning services and editors read."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping
from urllib.parse import quote

from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.catalogue import CATALOGUE, Rule
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.outcome import Outcome

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_HOME = "https://github.com/k3sfleet/registries"


def text(outcome: Outcome) -> str:
    """The log, with a line break at its end. Ignored findings are in it as suppressed results."""
    results: list[tuple[Mapping[str, Any], list[dict[str, Any]]]] = [(finding, []) for finding in outcome.findings]
    results += [(finding, [_suppression(finding)]) for finding in outcome.ignored]
    codes = sorted({finding["code"] for finding, _suppressions in results})
    driver = {
        "name": "k3sfleet.registries lint",
        "informationUri": _HOME,
        "rules": [_rule(CATALOGUE[code]) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "artifacts": [{"location": {"uri": _uri(name)}} for name in outcome.files],
        "results": [_result(finding, suppressions, codes) for finding, suppressions in results],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.fix} Source: {rule.source}"},
        "helpUri": f"{_HOME}/blob/main/docs/lint.md#{rule.code.lower()}",
        "defaultConfiguration": {"level": rule.level},
    }


def _result(finding: Mapping[str, Any], suppressions: list[dict[str, Any]], codes: list[str]) -> dict[str, Any]:
    location: dict[str, Any] = {}
    if finding["file"]:
        # Services show nothing that has no line, so what is about the whole file is in its first.
        region: dict[str, Any] = {"startLine": finding.get("line", 1)}
        if "column" in finding:
            region["startColumn"] = finding["column"]
        if "excerpt" in finding:
            region["snippet"] = {"text": finding["excerpt"][0]}
        location["physicalLocation"] = {"artifactLocation": {"uri": _uri(finding["file"])}, "region": region}
    if finding["path"]:
        location["logicalLocations"] = [{"fullyQualifiedName": finding["path"]}]
    return {
        "ruleId": finding["code"],
        "ruleIndex": codes.index(finding["code"]),
        "level": finding["level"],
        "message": {"text": f"{finding['message']}. {finding['fix']}"},
        "locations": [location] if location else [],
        "suppressions": suppressions,
    }


def _suppression(finding: Mapping[str, Any]) -> dict[str, Any]:
    kind = "inSource" if finding["ignored_by"] == "comment" else "external"
    return {"kind": kind, "status": "accepted", "justification": finding["reason"]}


def _uri(name: str) -> str:
    path = name.replace(os.sep, "/").encode("utf-8", "surrogateescape")
    return ("file://" if path.startswith(b"/") else "") + quote(path)
