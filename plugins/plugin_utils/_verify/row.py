# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verification has found on a node: its row in the table, in cells of a few words, and what it fails for."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.clean import clean
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import (
    CANARIES,
    ENDPOINTS,
    FILES,
    INFO,
    PROVIDERS,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import registries, verify_criteria
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.verify_criteria import Finding
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import words


class Judged(NamedTuple):
    """``row``: ``{host, state, release, cells, canary}``; ``cells``: endpoint to what it is to the node in a few words.
    Neither it nor the ``findings`` are clean."""

    row: dict[str, Any]
    findings: list[Finding]

    @property
    def passes(self) -> bool:
        return not any(finding.fails for finding in self.findings)

    def with_findings(self, more: list[Finding]) -> Judged:
        """The same with further findings."""
        return self._replace(findings=[*self.findings, *more])


def judge(
    host: str,
    info: Mapping[str, Any],
    probe: Mapping[str, Any],
    canary: Mapping[str, Any],
    managed: bool,
    applied: Mapping[str, Any] | None = None,
    not_installed: str = "fail",
) -> Judged:
    """How one node stands.

    :param info: what k3s_registries_info has returned, failed or unreachable results too; the same for ``probe`` and
        ``canary`` ({} where they were not asked), and ``applied``, k3s_registries in check mode.
    :param managed: see ``verify_criteria.of_info``, also for ``not_installed``.
    """
    row: dict[str, Any] = {"host": host, "state": "", "release": "", "cells": {}, "canary": ""}
    found: list[Finding] = []
    facts = _part(found, info, "info", INFO, "k3s_registries_info")
    if info.get("unreachable"):
        row["state"] = "unreachable"
        found = [Finding(True, "unreachable", str(info.get("msg") or "no reason given"))]
    elif facts is None:
        row["state"] = "not examined"
        found = found or [*verify_criteria.of_modules({"k3s_registries_info": {"failed": True, **info}})]
    else:
        row.update(state=str(facts.get("state") or ""), release=str(facts.get("release") or ""))
        found += verify_criteria.of_info(facts, managed, not_installed)
        found += _of_the_rest(row, not_said_already(applied or {}), probe, canary)
    return Judged(row, [_in_full(finding) for finding in found])


def verdict(*answers: Any, **more: Any) -> dict[str, Any]:
    """:func:`judge` as a row."""
    return row_of(judge(*answers, **more))


def row_of(judged: Judged) -> dict[str, Any]:
    """``{host, ok, state, release, cells, canary, failures, warnings}``, for the table; the last two are sentences."""
    sentences: dict[bool, list[str]] = {True: [], False: []}
    for finding in judged.findings:
        sentences[finding.fails].append(_sentence(finding))
    row = {**judged.row, "ok": judged.passes}
    row.update(failures=list(dict.fromkeys(sentences[True])), warnings=list(dict.fromkeys(sentences[False])))
    # The modules mask what they return; this is the safety net if one forgets.
    cleaned: dict[str, Any] = clean(row)
    return cleaned


def not_said_already(applied: Mapping[str, Any]) -> Mapping[str, Any]:
    """``applied``, unless it has failed for what k3s_registries_info has said already."""
    return {} if applied.get("contradictions") else applied


def _of_the_rest(
    row: dict[str, Any], applied: Mapping[str, Any], probe: Mapping[str, Any], canary: Mapping[str, Any]
) -> list[Finding]:
    answers = {"k3s_registries": applied, "k3s_registry_probe": probe, "k3s_canary_pull": canary}
    found = [*verify_criteria.of_modules(answers)]
    files = _part(found, applied, "files", FILES, "k3s_registries")
    entries = _part(found, probe, "endpoints", ENDPOINTS, "k3s_registry_probe") or []
    providers = _part(found, probe, "providers", PROVIDERS, "k3s_registry_probe") or []
    pulls = _part(found, canary, "pulls", CANARIES, "k3s_canary_pull") or []
    loaded = row["state"] == "loaded"
    found += verify_criteria.of_inventory(files or [], applied, loaded)
    found += verify_criteria.of_endpoints(entries)
    found += verify_criteria.of_providers(providers)
    found += verify_criteria.of_canaries(pulls)
    if files and loaded:
        row["state"] = "not applied"
    row["cells"] = _cells(entries)
    row["canary"] = "not tried" if canary.get("failed") or canary.get("unreachable") else _canary(pulls)
    return found


def _part(found: list[Finding], answer: Mapping[str, Any], key: str, shape: Any, module: str) -> Any:
    """What a module has answered under ``key``; None and a failure if the module cannot have answered that."""
    if answer.get("failed") or answer.get("unreachable"):
        return None
    try:
        return clean(conform(answer.get(key), shape, key))
    except OddAnswer as odd:
        label = "%s has given an answer that it never gives" % module
        found.append(Finding(True, "odd_answer", str(odd), label=label))
        return None


def _cells(entries: list[Mapping[str, Any]]) -> dict[str, str]:
    """The first thing that is wrong with each endpoint, otherwise how fast it is."""
    cells: dict[str, str] = {}
    for entry in entries:
        endpoint = words.address(str(entry.get("endpoint") or entry.get("registry") or ""))
        if not registries.works(entry):
            word = words.cause(str(entry.get("cause") or "unknown"))
            if cells.get(endpoint, "ok").startswith("ok"):
                cells[endpoint] = "(%s)" % word if entry.get("kind") == "default" else word
        elif endpoint not in cells:
            total = (entry.get("times") or {}).get("total")
            cells[endpoint] = "ok" if total is None else "ok %d ms" % round(float(total))
    return cells


def _canary(pulls: list[Mapping[str, Any]]) -> str:
    for pull in pulls:
        if not pull.get("ok"):
            return words.cause(str(pull.get("cause") or ""))
    return "ok %.1f s" % sum(float(pull.get("seconds") or 0) for pull in pulls) if pulls else ""


def _in_full(finding: Finding) -> Finding:
    """With the words for a state that came without."""
    if finding.message or finding.code not in words.STATES:
        return finding
    state = words.STATES[finding.code]
    return finding._replace(message=state.message, fix=state.fix)


def _sentence(finding: Finding) -> str:
    where = "at %s" % words.address(finding.place) if finding.place else ""
    begin = finding.code if finding.label is None else finding.label
    text = "%s: %s" % (" ".join(part for part in (begin, where) if part), finding.message)
    # A message may end with the error's own words, "It failed. (connection refused)".
    if text[-1] not in ".:" and not (text[-1] == ")" and ". (" in text):
        text += "."
    return ("%s %s" % (text, finding.fix)).strip()
