# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verification as a document: what the report has of each host, whether the host passes, and why not."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.clean import clean
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.verify_criteria import Finding
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import document, roles_of
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.host import host

from .row import Judged, judge, not_said_already

_QUESTIONS = ("info", "applied", "probe", "canary")
_NOT_ASKED = Finding(
    True, "not_asked", "This run has not asked the node: it had failed, or could not be reached, before.",
    "Look at what the run says about the node, and run it again.",
)  # fmt: skip


def verified_host(answers: Mapping[str, Mapping[str, Any]], judged: Judged) -> dict[str, Any]:
    """A host of the document, without its group.

    :param answers: question to what was answered, as k3s_registries_examine has it.
    :param judged: what ``judge`` says about them.
    """
    asked = {question: answers.get(question) or {} for question in _QUESTIONS}
    asked["applied"] = not_said_already(asked["applied"])
    return _with_findings(host("", asked), judged.findings)


def _with_findings(known: Mapping[str, Any], findings: Iterable[Finding]) -> dict[str, Any]:
    listed = {fails: [_said(item) for item in findings if item.fails is fails] for fails in (True, False)}
    return {
        "passes": not listed[True],
        "failures": _once(listed[True]),
        "warnings": _once(listed[False]),
        **known,
    }


def _said(finding: Finding) -> dict[str, str]:
    message = "%s: %s" % (finding.label, finding.message) if finding.label else finding.message
    said: dict[str, str] = clean(
        {"code": finding.code, "message": message, "fix": finding.fix, "endpoint": finding.place}
    )
    return said


def _once(listed: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({tuple(item.values()): item for item in listed}.values())


def not_examined(name: str, reason: str) -> dict[str, Any]:
    """A host whose task has ended without an answer."""
    answers = {"info": {"failed": True, "msg": reason}}
    return verified_host(answers, judge(name, answers["info"], {}, {}, False))


def verification(
    names: Iterable[str],
    found: Mapping[str, Mapping[str, Any]],
    groups: Mapping[str, Iterable[str]],
    generated: str,
) -> dict[str, Any]:
    """The document of a verification.

    :param names: all hosts of the play. One that is not in ``found`` does not pass: nothing is known about it.
    :param found: hosts to what :func:`verified_host` has made of them.
    :param groups: ``server`` and ``agent`` to the names of their hosts.
    """
    roles = roles_of(groups)
    hosts = {}
    for name in names:
        known = found.get(name) or _with_findings(host("", {question: {} for question in _QUESTIONS}), [_NOT_ASKED])
        hosts[name] = {**known, "group": roles.get(name) or known["group"]}
    return document("verify", hosts, generated)
