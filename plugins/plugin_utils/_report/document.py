# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's document: what the play has gathered about each host, in one shape and without secrets.

``{schema: 1, generated: ISO-8601 UTC, hosts: {name: {condition, level, group, unreachable, errors, info, endpoints,
pulls, rehearsal}}}``. It is written as JSON, embedded in the HTML, and the only source of the page.
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.clean import clean
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import (
    DIAGNOSES,
    ENDPOINTS,
    INFO,
    PROVIDERS,
    REHEARSED,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.nodes import assess

SCHEMA = 1

NOTHING_CHANGES = "nothing would change there, so nothing was rehearsed"
_TOO_ODD = "The module never gives an answer like this one, which is left out: %s"


def build(
    hosts: Iterable[str],
    info: Mapping[str, Any],
    probe: Mapping[str, Any],
    diagnosis: Mapping[str, Any],
    groups: Mapping[str, Iterable[str]],
    generated: str,
    rehearsal: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The document of a fleet.

    :param hosts: all hosts of the report, even if nothing was gathered about them.
    :param info: results of k3s_registries_info by host, as ``register`` keeps them, even if failed or unreachable.
    :param probe: the same of k3s_registry_probe.
    :param diagnosis: the same of k3s_pull_diagnosis.
    :param groups: ``server`` and ``agent`` to the names of their hosts.
    :param generated: the time of the report, ISO-8601 UTC.
    :param rehearsal: results of k3s_registries with ``rehearse`` by host; None if nothing was rehearsed.
    """
    roles = {str(host): role for role in ("agent", "server") for host in groups.get(role) or ()}
    return {
        "schema": SCHEMA,
        "generated": generated,
        "hosts": {
            name: {
                **_host(roles.get(name, ""), _result(info, name), _result(probe, name), _result(diagnosis, name)),
                "rehearsal": _rehearsal(_result(rehearsal or {}, name)),
            }
            for name in sorted({str(host) for host in hosts}, key=natural)
        },
    }


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts ``edge-2`` before ``edge-10``."""
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _result(results: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = results.get(name)
    return found if isinstance(found, Mapping) else {}


def _host(
    group: str, info: Mapping[str, Any], probe: Mapping[str, Any], diagnosis: Mapping[str, Any]
) -> dict[str, Any]:
    unreachable = ""
    errors = []
    for module, result in (
        ("k3s_registries_info", info),
        ("k3s_registry_probe", probe),
        ("k3s_pull_diagnosis", diagnosis),
    ):
        message = clean({"msg": str(result.get("msg") or "no reason given")})["msg"]
        if result.get("unreachable"):
            unreachable = unreachable or message
        elif result.get("failed"):
            errors.append({"module": module, "message": message})
    facts = _part(info, "info", INFO, "k3s_registries_info", errors)
    endpoints = _part(probe, "endpoints", ENDPOINTS, "k3s_registry_probe", errors)
    providers = _part(probe, "providers", PROVIDERS, "k3s_registry_probe", errors)
    pulls = _part(diagnosis, "pulls", DIAGNOSES, "k3s_pull_diagnosis", errors)
    host = {
        "group": group or str((facts or {}).get("role") or ""),
        "unreachable": unreachable,
        "errors": clean(errors),
        "info": facts,
        "endpoints": endpoints or [],
        "providers": providers or [],
        "pulls": pulls or [],
    }
    found = assess(host)
    return {"condition": found.condition, "level": found.level, **host}


def _rehearsal(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a node has found about a configuration that is not applied, or why nothing; None if it was not asked.

    That it would lose an image is no trouble of the node's, nor that nothing could be told.
    """
    if not result:
        return None
    errors: list[dict[str, str]] = []
    found = _part(result, "rehearsal", REHEARSED["rehearsal"], "k3s_registries", errors)
    if found:
        return dict(found)
    said = errors[0]["message"] if errors else str(result.get("msg") or "no reason given")
    failed = result.get("failed") or result.get("unreachable") or errors
    return {"problem": clean({"msg": said})["msg"] if failed else NOTHING_CHANGES, "images": []}


def _part(result: Mapping[str, Any], key: str, shape: Any, module: str, errors: list[dict[str, str]]) -> Any:
    """What a module has answered under ``key``, None if the module cannot have answered that."""
    try:
        return clean(conform(result.get(key), shape, key))
    except OddAnswer as odd:
        errors.append({"module": module, "message": _TOO_ODD % odd})
        return None
