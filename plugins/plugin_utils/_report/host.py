# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host of a document: what its modules have answered, in one shape and without secrets."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.clean import clean
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import OddAnswer, conform
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.shapes import (
    CANARIES,
    DIAGNOSES,
    ENDPOINTS,
    INFO,
    PROVIDERS,
    REHEARSED,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.nodes import assess

NOTHING_CHANGES = "nothing would change there, so nothing was rehearsed"
_TOO_ODD = "The module never gives an answer like this one, which is left out: %s"


class Part(NamedTuple):
    """What a document takes from an answer: its key in the document and in the answer, and its shape."""

    name: str
    key: str
    shape: Any


class Question(NamedTuple):
    """A module that is asked, and what a document takes from its answer."""

    module: str
    parts: tuple[Part, ...]


#: By the name that k3s_registries_examine has for it.
QUESTIONS = {
    "info": Question("k3s_registries_info", (Part("info", "info", INFO),)),
    "applied": Question("k3s_registries", ()),
    "probe": Question(
        "k3s_registry_probe",
        (Part("endpoints", "endpoints", ENDPOINTS), Part("providers", "providers", PROVIDERS)),
    ),
    "canary": Question("k3s_canary_pull", (Part("canaries", "pulls", CANARIES),)),
    "diagnosis": Question("k3s_pull_diagnosis", (Part("pulls", "pulls", DIAGNOSES),)),
}


def result_of(results: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What is registered for a host; {} if that is not a result."""
    found = results.get(name)
    return found if isinstance(found, Mapping) else {}


def host(group: str, answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A host of a document, with the parts of the questions that ``answers`` has.

    :param group: ``server`` or ``agent``, as the inventory says; empty if it does not.
    :param answers: question, see :data:`QUESTIONS`, to what was registered, {} if it was not asked.
    """
    unreachable = ""
    errors = []
    for question, answer in answers.items():
        message = clean({"msg": str(answer.get("msg") or "no reason given")})["msg"]
        if answer.get("unreachable"):
            unreachable = unreachable or message
        elif answer.get("failed"):
            errors.append({"module": QUESTIONS[question].module, "message": message})
    parts: dict[str, Any] = {}
    for question, answer in answers.items():
        module = QUESTIONS[question].module
        for part in QUESTIONS[question].parts:
            found = _conformed(answer, part.key, part.shape, module, errors)
            # Facts that are not known are null. A list is one that can be read without looking.
            parts[part.name] = found if part.name == "info" else found or []
    known: dict[str, Any] = {
        "group": group or str((parts.get("info") or {}).get("role") or ""),
        "unreachable": unreachable,
        "errors": clean(errors),
        **parts,
    }
    stands = assess({**known, "endpoints": parts.get("endpoints", []), "pulls": _failing(parts)})
    return {"condition": stands.condition, "level": stands.level, **known}


def _failing(parts: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The pulls that have failed: those of the log, and those of the canary images."""
    return [*parts.get("pulls", ()), *(pull for pull in parts.get("canaries", ()) if not pull.get("ok"))]


def rehearsal(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a node has found about a configuration that is not applied, or why nothing; None if it was not asked.

    That it would lose an image is no trouble of the node's, nor that nothing could be told.
    """
    if not result:
        return None
    errors: list[dict[str, str]] = []
    found = _conformed(result, "rehearsal", REHEARSED["rehearsal"], "k3s_registries", errors)
    if found:
        return dict(found)
    said = errors[0]["message"] if errors else str(result.get("msg") or "no reason given")
    failed = result.get("failed") or result.get("unreachable") or errors
    return {"problem": clean({"msg": said})["msg"] if failed else NOTHING_CHANGES, "images": []}


def _conformed(result: Mapping[str, Any], key: str, shape: Any, module: str, errors: list[dict[str, str]]) -> Any:
    """What a module has answered under ``key``, None if the module cannot have answered that."""
    try:
        return clean(conform(result.get(key), shape, key))
    except OddAnswer as odd:
        errors.append({"module": module, "message": _TOO_ODD % odd})
        return None
