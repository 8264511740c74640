# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade does to the registries of a fleet, in words: the nodes' answers, merged. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Mapping, NamedTuple, Sequence, Sized

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.vocabulary import (
    BROKEN,
    LOST,
    NOT_KNOWN,
    VARIABLE,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._upgrade.images import BAD, CONTROLLER, MISSING, WORDS
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import counted, shortened

_MOST = 40
_MOST_DIFF_LINES = 60
_NO_ANSWER = "it could not be asked"
_OTHER_NAMES = (
    "asked for the release's images without the system-default-registry that a server has (%s). Set "
    "k3s_registries_system_default_registry, so that agents are asked for the names that they will use"
)

_LEVELS = ("error", "warning")

Answers = Mapping[str, Mapping[str, Any]]


class Conclusion(NamedTuple):
    """``headline`` sums ``lines`` up, ``stops`` is whether something speaks against the upgrade."""

    lines: list[str]
    headline: str
    stops: bool


_IMAGE = {"image", "state", "endpoint", "cause", "message", "fix"}
_FINDING = {"code", "level", "path", "message", "fix"}
_FILE = {"file", "kind", "diff"}


def completed(said: Mapping[str, Any]) -> dict[str, Any]:
    """A node's answer that fits its shape, with everything in it that may be missing or null."""
    texts = dict.fromkeys(("problem", "target", "installed", "known_up_to", "not_known", "default_registry"), "")
    found = {**texts, "sees_controller": False, **{key: value for key, value in said.items() if value is not None}}
    for name, keys in (("images", _IMAGE), ("findings", _FINDING), ("hosts", _FILE)):
        found[name] = [
            {**dict.fromkeys(keys, ""), **{key: value for key, value in item.items() if value is not None}}
            for item in found.get(name, [])
        ]
    for item in found["images"]:
        item.setdefault("allowed", False)
        item.setdefault("users", [])
    if not found["problem"] and not found["target"]:
        found["problem"] = "its answer is empty"
    return found


def node_line(host: str, said: Mapping[str, Any]) -> str:
    """``agent-1: v1.34.3+k3s1 to v1.35.2+k3s1: 12 images: 11 can be pulled, 1 cannot be pulled``"""
    if said.get("problem"):
        return "%s: not checked: %s" % (host, said["problem"])
    images = [item for item in said["images"] if not _only_for_the_controller(item)]
    counts = Counter(item["state"] for item in images)
    words = ", ".join("%d %s" % (counts[state], word) for state, word in WORDS.items() if counts[state])
    way = "%s to %s" % (said["installed"] or "unknown release", said["target"])
    return "%s: %s: %s: %s" % (host, way, counted(len(images), "image"), words)


def conclusion(hosts: Iterable[str], answers: Answers) -> Conclusion:
    """
    :param hosts: all that should have been asked.
    :param answers: what those that were asked have answered: ``upgrade`` of k3s_upgrade_check.
    """
    problems = {host: str(answers.get(host, {}).get("problem", _NO_ANSWER)) for host in hosts}
    problems = {host: problem for host, problem in problems.items() if problem}
    checked = {host: said for host, said in answers.items() if not said.get("problem")}
    controller = any(said["sees_controller"] for said in checked.values())
    images = [
        (host, item)
        for host, said in checked.items()
        for item in said["images"]
        if controller or not _only_for_the_controller(item)
    ]
    bad = [(host, item) for host, item in images if item["state"] in BAD and not item["allowed"]]
    let_go = [(host, item) for host, item in images if item["state"] in BAD and item["allowed"]]
    errors, warnings = ([(h, f) for h, f in _findings(checked) if f["level"] == level] for level in _LEVELS)
    unsure = [(host, item) for host, item in images if item["state"] == NOT_KNOWN]
    not_known = {host: str(said["not_known"]) for host, said in checked.items() if said["not_known"]}
    newer = sorted({(said["target"], said["known_up_to"]) for said in checked.values() if said["known_up_to"]})
    lines = [
        *_by_nodes((host, "%s: %s" % (WORDS[MISSING], _image(item))) for host, item in bad if item["state"] == MISSING),
        *_by_nodes((host, "%s: %s" % (WORDS[LOST], _image(item))) for host, item in bad if item["state"] == LOST),
        *_by_nodes((host, "cannot be pulled, as allowed: %s" % item["image"]) for host, item in let_go),
        *_by_nodes((host, "error %s" % _finding(item)) for host, item in errors),
        *_by_nodes((host, "warning %s" % _finding(item)) for host, item in warnings),
        *_by_nodes((host, "not known: %s" % _image(item)) for host, item in unsure),
        *_by_nodes((host, "already broken: %s" % _image(item)) for host, item in images if item["state"] == BROKEN),
        *_by_nodes((host, "not known: %s" % problem) for host, problem in not_known.items()),
        *_by_nodes(_other_names(checked)),
        *_by_nodes((host, "not checked: %s" % problem) for host, problem in problems.items()),
        *_changes(checked),
        *("  rules known up to %s: what %s does differently is not known" % (known, target) for target, known in newer),
    ]
    counts = [
        (len({item["image"] for _host, item in bad}), "image that cannot be pulled", "images that cannot be pulled"),
        (len({(item["code"], item["path"]) for _host, item in errors}), "broken rule", "broken rules"),
        (len(problems), "node that could not be checked", "nodes that could not be checked"),
    ]
    against = ["%d %s" % (number, one if number == 1 else many) for number, one, many in counts if number]
    release = ", ".join(sorted({str(said["target"]) for said in checked.values()})) or "the upgrade"
    if against:
        headline = "%s: %s" % (release, ", ".join(against))
        if bad:
            headline += ". To go on without an image, list it in %s" % VARIABLE
    else:
        headline = "%s: %s" % (release, _nothing_against(checked, images, unsure, not_known, newer))
    return Conclusion([visible(line) for line in lines], visible(headline), bool(against))


def _nothing_against(
    checked: Answers, images: Sequence[Any], unsure: Sequence[Any], not_known: Sized, newer: Sequence[tuple[str, str]]
) -> str:
    total = counted(len({item["image"] for _host, item in images}), "image")
    doubts = ["its own rules, which are known up to %s" % newer[0][1]] if newer else []
    if unsure:
        doubts.append("whether %s can be pulled" % counted(len({item["image"] for _h, item in unsure}), "image"))
    if not_known:
        doubts.append("what it makes of the configuration of %s" % counted(len(not_known), "node"))
    said = "nothing speaks against it on %s with %s" % (counted(len(checked), "node"), total)
    return said + (", but not known: %s" % "; ".join(doubts) if doubts else "")


def _only_for_the_controller(item: Mapping[str, Any]) -> bool:
    return list(item["users"]) == [CONTROLLER]


def _findings(checked: Answers) -> list[tuple[str, Mapping[str, Any]]]:
    return [(host, item) for host, said in checked.items() for item in said["findings"]]


def _other_names(checked: Answers) -> list[tuple[str, str]]:
    """Nodes that were asked for other names than those that their servers use."""
    known = sorted({str(said["default_registry"]) for said in checked.values() if said["default_registry"]})
    return [(host, _OTHER_NAMES % known[0]) for host, said in checked.items() if known and not said["default_registry"]]


def _changes(checked: Answers) -> list[str]:
    """The hosts.toml that the release writes otherwise, with a diff for each that is another one."""
    found = [
        (host, "%s is written otherwise:\n%s" % (item["file"], "\n".join(_diff(item))))
        for host, said in checked.items()
        for item in said["hosts"]
    ]
    return [line for text in _by_nodes(found) for line in text.split("\n")]


def _diff(item: Mapping[str, Any]) -> list[str]:
    lines = str(item["diff"]).splitlines()
    shown = ["    " + line for line in lines[:_MOST_DIFF_LINES]]
    more = len(lines) - _MOST_DIFF_LINES
    return shown + (["    and %s" % counted(more, "more line")] if more > 0 else [])


def _by_nodes(found: Iterable[tuple[str, str]]) -> list[str]:
    """Each sentence once, with the nodes that it is about."""
    nodes: dict[str, list[str]] = {}
    for host, text in found:
        nodes.setdefault(text, []).append(host)
    lines = ["  %s: %s" % (shortened(hosts), text) for text, hosts in nodes.items()]
    return lines[:_MOST] + (["  and %d more" % (len(lines) - _MOST)] if len(lines) > _MOST else [])


def _image(item: Mapping[str, Any]) -> str:
    place = ", ".join(str(item[key]) for key in ("endpoint", "cause") if item[key])
    said = " ".join(str(item[key]) for key in ("message", "fix") if item[key])
    return ": ".join(part for part in (str(item["image"]), place, said) if part)


def _finding(item: Mapping[str, Any]) -> str:
    return " ".join(str(item[key]) for key in ("code", "path", "message") if item[key]) + ". " + str(item["fix"])
