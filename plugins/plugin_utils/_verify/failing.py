# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failing pulls of a fleet as lines of text: by cause, what most nodes have first."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import counted, shortened
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import build
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.pulls import FailingPulls, failing_pulls

from .alike import without_names

_MOST_IMAGES = 5
_MOST_EVIDENCE = 4
_LONGEST_LINE = 400
#: Causes in full up to so many lines, then a line each; and reasons why nodes could not be examined: about two screens.
_MOST_LINES = 70
_MOST_IN_A_LINE = 10
_MOST_REASONS = 6


class Examined(NamedTuple):
    """What is known of a fleet's pulls.

    :ivar groups: the failing ones by cause and endpoint.
    :ivar unknown: hosts that nothing is known about, to why.
    :ivar without_k3s: hosts on which K3s is not installed, so that there is no log to read.
    :ivar none: whether no log of any node was read: then nothing is known, good or bad.
    """

    groups: list[FailingPulls]
    unknown: dict[str, str]
    without_k3s: list[str]
    none: bool


def examined(diagnosis: Mapping[str, Any], info: Mapping[str, Any]) -> Examined:
    """What the nodes have answered, put together.

    :param diagnosis: hosts to what k3s_pull_diagnosis has returned there.
    :param info: the same for k3s_registries_info. A host that could not be reached for it was not asked again, and
        that is told.
    """
    unasked = {host: result for host, result in info.items() if not _answered(diagnosis.get(host))}
    document = build([*info, *diagnosis], unasked, {}, diagnosis, {}, "")
    unknown = {
        host: known["unreachable"] or known["errors"][0]["message"]
        for host, known in document["hosts"].items()
        if known["unreachable"] or known["errors"]
    }
    without_k3s = _without_k3s(info)
    none = {str(host) for host in {**info, **diagnosis}} <= {*unknown, *without_k3s}
    return Examined(failing_pulls(document), unknown, without_k3s, none)


def _answered(result: Any) -> bool:
    return isinstance(result, Mapping) and bool(result) and not result.get("skipped")


def _without_k3s(info: Mapping[str, Any]) -> list[str]:
    found = {host: result.get("info") for host, result in info.items() if isinstance(result, Mapping)}
    return [
        str(host)
        for host, facts in found.items()
        if isinstance(facts, Mapping) and facts.get("state") == "not_installed"
    ]


def lines(found: Examined) -> list[str]:
    """What a person reads at the end of ``diagnose``."""
    return [visible(line) for line in _lines(found)]


def _lines(found: Examined) -> list[str]:
    text: list[str] = []
    for number, group in enumerate(found.groups, 1):
        told = _group(number, group)
        if len(text) + len(told) > _MOST_LINES:
            text += _in_a_line_each(number, found.groups[number - 1 :])
            break
        text += told
    text += _not_examined_lines(found.unknown)
    if found.without_k3s:
        text += ["K3s is not installed on %s: no pulls to examine there" % shortened(found.without_k3s), ""]
    if found.none:
        return [*text, "no node could be examined"]
    nodes = {name for group in found.groups for name in group.nodes}
    images = {image for group in found.groups for image in group.images}
    if not found.groups:
        partly = found.unknown or found.without_k3s
        return [*text, "no failing pulls" + (" on the nodes that could be examined" if partly else "")]
    return [
        *text,
        "%s at %s: %s cannot pull %s"
        % (
            counted(len({group.cause for group in found.groups}), "cause"),
            counted(len({group.endpoint for group in found.groups}), "endpoint"),
            counted(len(nodes), "node"),
            counted(len(images), "image"),
        ),
    ]


def _in_a_line_each(first: int, found: list[FailingPulls]) -> list[str]:
    """What is left once the screens are full: the causes with their nodes; the report has the rest."""
    text = [_head(number, group) for number, group in enumerate(found[:_MOST_IN_A_LINE], first)]
    if len(found) > _MOST_IN_A_LINE:
        nodes = {name for group in found[_MOST_IN_A_LINE:] for name in group.nodes}
        more = counted(len(found) - _MOST_IN_A_LINE, "more cause")
        text.append("and %s, on %s" % (more, _names(sorted(nodes))))
    return [*text, "The report shows all of them in full: ansible-playbook k3sfleet.registries.report", ""]


def _not_examined_lines(unknown: Mapping[str, str]) -> list[str]:
    """Each reason once, with the nodes that have it; those of most nodes first if they are many."""
    reasons: dict[str, tuple[str, list[str]]] = {}
    for host, why in unknown.items():
        cut = why[:_LONGEST_LINE]
        reasons.setdefault(without_names(cut, host), (cut, []))[1].append(host)
    listed = list(reasons.values())
    if len(listed) > _MOST_REASONS:
        listed.sort(key=lambda item: -len(item[1]))
    text = []
    for why, hosts in listed[:_MOST_REASONS]:
        text += ["%s could not be examined: %s" % (shortened(hosts), why), ""]
    rest = [host for _why, hosts in listed[_MOST_REASONS:] for host in hosts]
    if rest:
        others = counted(len(listed) - _MOST_REASONS, "other reason")
        text += ["%s could not be examined, for %s, which their tasks say" % (shortened(rest), others), ""]
    return text


def _head(number: int, group: FailingPulls) -> str:
    where = " at %s" % group.endpoint if group.endpoint else ""
    return "%d. %s (%s)%s, on %s" % (number, group.label, group.cause, where, _names(group.nodes))


def _group(number: int, group: FailingPulls) -> list[str]:
    text = [_head(number, group)]
    for image, nodes in group.by_image[:_MOST_IMAGES]:
        only = "" if len(nodes) == len(group.nodes) else " on %s" % _names(nodes)
        text.append("   image    %s%s" % (image, only))
    if len(group.images) > _MOST_IMAGES:
        text.append("            and %d more" % (len(group.images) - _MOST_IMAGES))
    text.append("   why      " + group.message)
    text += ["   fix      " + fix for fix in group.fixes[:_MOST_IMAGES]]
    for line in group.evidence[-_MOST_EVIDENCE:]:
        cut = line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + " ..."
        text.append("   %s %s" % ("evidence" if line is group.evidence[-_MOST_EVIDENCE:][0] else "        ", cut))
    if group.evidence and len(group.nodes) > 1:
        text.append("            (from %s)" % group.evidence_node)
    return [*text, ""]


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    return "%s (%s)" % (counted(len(listed), "node"), shortened(listed))
