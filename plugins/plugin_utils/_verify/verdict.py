# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node passes: out of what it is, what its endpoints answer and what it can pull."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.clean import clean
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import (
    CANARIES,
    ENDPOINTS,
    FILES,
    INFO,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import words
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.nodes import cell

#: States in which a node does not run what its files say, whatever works at the moment.
_NOT_AS_IT_SHOULD = ("pending", "drifted", "unreadable")
_NOT_INSTALLED = (
    "K3s is not %s here, so nothing was verified",
    "If it is installed, it runs as another distribution or service than k3s_registries_distribution and "
    "k3s_registries_service say: correct them. If K3s is missing on purpose, set "
    "k3s_registries_verify_not_installed: allow, or leave the host out with --limit.",
)


def verdict(
    host: str,
    info: Mapping[str, Any],
    probe: Mapping[str, Any],
    canary: Mapping[str, Any],
    managed: bool,
    applied: Mapping[str, Any] | None = None,
    not_installed: str = "fail",
) -> dict[str, Any]:
    """``{host, ok, state, release, cells, canary, failures, warnings}`` of one node.

    :param info: what k3s_registries_info has returned, failed or unreachable results too; the same for ``probe`` and
        ``canary`` ({} where they were not asked).
    :param managed: whether the node is meant to have the collection's configuration, so that a registries.yaml of
        somebody else's is a failure and not only worth mentioning.
    :param applied: what k3s_registries has returned in check mode, which compares the inventory with the node.
    :param not_installed: ``allow`` lets a node pass on which there is no K3s, so that nothing can be verified.
    :returns: ``cells``: endpoint to what it is to the node in a few words; ``failures`` and ``warnings``: sentences.
    """
    result: dict[str, Any] = {
        "host": host, "ok": False, "state": "", "release": "", "cells": {}, "canary": "", "failures": [],
        "warnings": [],
    }  # fmt: skip
    if info.get("unreachable"):
        result.update(state="unreachable", failures=["unreachable: %s" % _said(info)])
        return clean_verdict(result)
    facts = _part(result, info, "info", INFO, "k3s_registries_info")
    if facts is None:
        why = result["failures"] or ["k3s_registries_info failed: %s" % _said(info)]
        result.update(state="not examined", failures=why)
        return clean_verdict(result)
    result.update(state=str(facts.get("state") or ""), release=str(facts.get("release") or ""))
    _judge_info(result, facts, managed)
    if result["state"] in ("not_installed", "not_set_up") and not_installed != "allow":
        message, fix = _NOT_INSTALLED
        _add(result["failures"], _sentence(result["state"], message % result["state"][4:].replace("_", " "), fix))
    _judge_applied(result, applied or {})
    _judge_probe(result, probe)
    _judge_canary(result, canary)
    result["ok"] = not result["failures"]
    return clean_verdict(result)


def beyond_judging(host: str, why: str) -> dict[str, Any]:
    """The verdict on a node whose answers nothing can be made of."""
    return verdict(host, {"msg": why}, {}, {}, False)


def clean_verdict(result: dict[str, Any]) -> dict[str, Any]:
    """The modules mask what they return; this holds should one of them forget."""
    cleaned: dict[str, Any] = clean(result)
    return cleaned


def _part(result: dict[str, Any], answer: Mapping[str, Any], key: str, shape: Any, module: str) -> Any:
    """What a module has answered under ``key``; a failure, and None, where that is nothing that it could answer."""
    try:
        return clean(conform(answer.get(key), shape, key))
    except OddAnswer as odd:
        result["failures"].append("%s has answered what it never does: %s" % (module, odd))
        return None


def _said(result: Mapping[str, Any]) -> str:
    return str(result.get("msg") or "no reason given")


def _judge_info(result: dict[str, Any], facts: Mapping[str, Any], managed: bool) -> None:
    state = result["state"]
    told = False
    for problem in facts.get("problems") or []:
        code = str(problem.get("code") or "problem")
        failing = problem.get("level") == "error" or code in _NOT_AS_IT_SHOULD or (code == "foreign" and managed)
        told = told or code == state
        sentence = _sentence(code, problem.get("message"), problem.get("fix"))
        _add(result["failures" if failing else "warnings"], sentence)
    if state in _NOT_AS_IT_SHOULD and not told:
        result["failures"].append(_sentence(state, words.STATES[state].message, words.STATES[state].fix))


def _judge_applied(result: dict[str, Any], applied: Mapping[str, Any]) -> None:
    if applied.get("contradictions"):
        # k3s_registries_info has said so already.
        return
    if applied.get("failed") or applied.get("unreachable"):
        result["failures"].append("k3s_registries failed: %s" % _said(applied))
        return
    files = _part(result, applied, "files", FILES, "k3s_registries")
    if files:
        changes = ["%s (%s)" % (item.get("path"), item.get("action")) for item in files]
        if result["state"] == "loaded":
            result["state"] = "not applied"
        message = "what k3s_registries says is not in place here: %s" % ", ".join(changes)
        _add(result["failures"], _sentence("not_applied", message, "Run k3sfleet.registries.site."))
    elif applied.get("restart") and result["state"] == "loaded":
        # Both come from one prediction, so this is a defect of the collection, and nothing that may pass as green.
        message = "K3s has loaded what is in place, and k3s_registries would restart it all the same: %s" % "; ".join(
            str(reason) for reason in applied.get("reasons") or ["no reason given"]
        )
        _add(result["failures"], _sentence("disagreement", message, "Please report this with the node's config.yaml."))


def _judge_probe(result: dict[str, Any], probe: Mapping[str, Any]) -> None:
    if probe.get("failed") or probe.get("unreachable"):
        result["failures"].append("k3s_registry_probe failed: %s" % _said(probe))
        return
    entries = _part(result, probe, "endpoints", ENDPOINTS, "k3s_registry_probe") or []
    document: dict[str, Any] = {"endpoints": entries, "unreachable": "", "info": {}}
    registries = {str(entry.get("registry") or "") for entry in entries}
    levels = {registry: cell(document, registry).level for registry in registries}
    for entry in entries:
        endpoint = words.address(str(entry.get("endpoint") or entry.get("registry") or ""))
        cause = str(entry.get("cause") or "unknown")
        _note_cell(result["cells"], endpoint, entry)
        if cause == "ok":
            # It works, and containerd gives its credentials to somebody else.
            findings = entry.get("findings")
            for finding in findings[:10] if isinstance(findings, list) else ():
                _add(result["warnings"], _sentence("at %s" % endpoint, finding, entry.get("fix")))
            continue
        level = levels[str(entry.get("registry") or "")]
        sentence = _sentence("%s at %s" % (cause, endpoint), entry.get("message"), entry.get("fix"))
        if level == "error":
            _add(result["failures"], sentence)
        elif level == "warning":
            _add(result["warnings"], sentence)
    _judge_images(result, entries)


def _judge_images(result: dict[str, Any], entries: list[Mapping[str, Any]]) -> None:
    """An image that no attempt finds cannot be pulled, however well its registry answers otherwise."""
    tried: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        if entry.get("image"):
            tried.setdefault(str(entry["image"]), []).append(entry)
    for image, attempts in tried.items():
        if any(entry.get("cause") == "ok" for entry in attempts):
            continue
        # The first is the mirror's own answer; what the default endpoint says after it is the lesser news.
        first = attempts[0]
        what = "%s: %s is not available from any endpoint" % (first.get("cause") or "unknown", image)
        _add(result["failures"], _sentence(what, first.get("message"), first.get("fix")))


def _note_cell(cells: dict[str, str], endpoint: str, entry: Mapping[str, Any]) -> None:
    """The first thing that is wrong with an endpoint, else how fast it is."""
    cause = str(entry.get("cause") or "unknown")
    if cause != "ok":
        word = words.cause(cause)
        if cells.get(endpoint, "ok").startswith("ok"):
            cells[endpoint] = "(%s)" % word if entry.get("kind") == "default" else word
    elif endpoint not in cells:
        total = (entry.get("times") or {}).get("total")
        cells[endpoint] = "ok" if total is None else "ok %d ms" % round(float(total))


def _judge_canary(result: dict[str, Any], canary: Mapping[str, Any]) -> None:
    if canary.get("failed") or canary.get("unreachable"):
        result["canary"] = "not tried"
        result["failures"].append("k3s_canary_pull failed: %s" % _said(canary))
        return
    pulls = _part(result, canary, "pulls", CANARIES, "k3s_canary_pull") or []
    failed = [item for item in pulls if not item.get("ok")]
    if failed:
        result["canary"] = words.cause(str(failed[0].get("cause") or ""))
    elif pulls:
        result["canary"] = "ok %.1f s" % sum(float(item.get("seconds") or 0) for item in pulls)
    for item in failed:
        what = "%s: %s cannot be pulled" % (item.get("cause"), item.get("image"))
        _add(result["failures"], _sentence(what, item.get("message"), item.get("fix")))


def _sentence(what: str, message: Any, fix: Any) -> str:
    text = "%s: %s" % (what, message or "")
    # A message may end with the error's own words, "It failed. (connection refused)".
    if text[-1] not in ".:" and not (text[-1] == ")" and ". (" in text):
        text += "."
    return ("%s %s" % (text, fix or "")).strip()


def _add(sentences: list[str], sentence: str) -> None:
    if sentence not in sentences:
        sentences.append(sentence)
