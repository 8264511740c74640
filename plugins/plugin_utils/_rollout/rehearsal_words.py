# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal of a run in words: who asks, what they have found together, what stops the run. Pure."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.vocabulary import (
    AT_ONCE,
    LOST,
    NOT_KNOWN,
    VARIABLE,
    WORDS,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import counted, shortened

from . import rehearsal
from .run import Run

_MOST_LOST = 40
_MOST_OTHERS = 10
_MOST_EFFECTS = 5
_MOST_EXAMPLES = 3
NO_PIPELINING = (
    "without pipelining, Ansible keeps the new credentials and keys in a temporary file on each node while the "
    "rehearsal runs there, and leaves it if the run is killed"
)


def announcement(run: Run, forks: int) -> list[str]:
    """Who asks, and how many questions one registry gets at a time from all of them; once for each host."""
    new = [host for host in run.rehearsal.chosen if host not in run.rehearsal.announced]
    run.rehearsal.announced += new
    if not new:
        return []
    return [
        "Rehearsal on %s (%s): each asks one registry at most %d questions at a time, all together at most %d"
        % (counted(len(new), "node"), shortened(new), AT_ONCE, AT_ONCE * min(forks, len(new)))
    ]


def progress_line(run: Run, host: str, headline: str, seconds: float) -> str:
    """``[1/2] server-1 rehearsed in 2.3 s: 40 images: 39 from another place, 1 lost``"""
    ended = sum(name in run.rehearsal.chosen for name in run.rehearsal.ended)
    head = "[%d/%d] %s " % (ended, len(run.rehearsal.chosen), host)
    problem = run.rehearsal.problems.get(host)
    if problem:
        return head + "could not rehearse: %s" % problem
    return head + "rehearsed in %.1f s: %s" % (seconds, headline)


def result_lines(run: Run) -> list[str]:
    """What all nodes have found together, as soon as none of them is still at it."""
    found = run.rehearsal
    if rehearsal.pending(run) or not found.ended:
        return []
    hosts = [host for group in found.effects.values() for host in group]
    counts = ["%d %s" % (len(names), WORDS[verdict]) for verdict, names in found.verdicts.items() if verdict in WORDS]
    lines = []
    if hosts:
        total = len({name for names in found.verdicts.values() for name in names})
        said = ": " + ", ".join(counts) if counts else ""
        lines.append("Rehearsal: %s on %s%s" % (counted(total, "image"), counted(len(hosts), "node"), said))
    for verdict, heading in ((LOST, "lost"), (NOT_KNOWN, "not known")):
        items = [item for item in found.images if item["verdict"] == verdict]
        most = _MOST_LOST if verdict == LOST else _MOST_OTHERS
        lines += _limited([_line(heading + (", as allowed" if item["allowed"] else ""), item) for item in items], most)
    others = [item for item in found.images if item["digest"] and item["verdict"] != LOST]
    lines += _limited(
        ["other content: %s is %s there, on %s" % (item["image"], item["digest"], _on(item)) for item in others],
        _MOST_OTHERS,
    )
    problems: dict[str, list[str]] = {}
    for host, problem in found.problems.items():
        problems.setdefault(problem, []).append(host)
    lines += ["  not rehearsed on %s: %s" % (shortened(names), problem) for problem, names in problems.items()]
    return lines


def effect_lines(run: Run) -> list[str]:
    """What changes for pulls, in words, for the plan."""
    effects = {words: hosts for words, hosts in run.rehearsal.effects.items() if words}
    shown = sorted(effects.items(), key=lambda item: -len(item[1]))
    lines = ["  for pulls on %s: %s" % (shortened(hosts), words) for words, hosts in shown[:_MOST_EFFECTS]]
    rest = sum(len(hosts) for _words, hosts in shown[_MOST_EFFECTS:])
    return lines + (["  for pulls on %s: differently" % counted(rest, "more node")] if rest else [])


def why(run: Run) -> str:
    """Why no host may begin, in a line; "" if one may."""
    lost = rehearsal.lost(run)
    if not lost:
        return ""
    names = list(dict.fromkeys(str(item["image"]) for item in lost))
    more = " and %d more" % (len(names) - _MOST_EXAMPLES) if len(names) > _MOST_EXAMPLES else ""
    said = "left as it was, untouched: %s could no longer be pulled with the new configuration (%s%s). %s"
    return said % (counted(len(names), "image"), ", ".join(names[:_MOST_EXAMPLES]), more, _on_purpose(len(names)))


def refusal(run: Run, host: str) -> str:
    """The same for the task of a host: with everything that there is to say, for the first that asks."""
    told = run.rehearsal.told = run.rehearsal.told or host
    if told != host:
        return "%s. The task of %s says why" % (why(run), told)
    return "\n".join(["%s:" % why(run), *_limited([_line("", item) for item in rehearsal.lost(run)], _MOST_LOST)])


def lost_on_a_node(images: Sequence[Mapping[str, Any]]) -> str:
    """The message for a node that would lose images, when the lines of the run say the rest."""
    names = [str(item["image"]) for item in images if item["verdict"] == LOST and not item["allowed"]]
    return (
        "%s could no longer be pulled: %s. The lines of the rehearsal say why. To lose %s on purpose, list %s in %s"
        % (
            counted(len(names), "image"),
            shortened(names),
            *(("it", "it") if len(names) == 1 else ("them", "them")),
            VARIABLE,
        )
    )


def _on_purpose(number: int) -> str:
    return "To lose %s on purpose, list %s in %s" % (*(("it", "it") if number == 1 else ("them", "them")), VARIABLE)


def _line(heading: str, item: Mapping[str, Any]) -> str:
    """``lost: quay.io/team/app:1 on 30 nodes (a-1, a-2 and 28 more): https://r:5000, not_found: why. What to do.``"""
    said = " ".join(str(item[key]) for key in ("message", "fix") if item[key])
    place = ", ".join(str(item[key]) for key in ("endpoint", "cause") if item[key])
    head = "%s: " % heading if heading else ""
    return head + ": ".join(part for part in ("%s on %s" % (item["image"], _on(item)), place, said) if part)


def _on(item: Mapping[str, Any]) -> str:
    hosts: Sequence[str] = item["hosts"]
    names = shortened(hosts)
    return names if len(hosts) == 1 else "%s (%s)" % (counted(len(hosts), "node"), names)


def _limited(lines: Sequence[str], most: int) -> list[str]:
    shown = ["  " + line for line in lines[:most]]
    return shown + (["  and %d more" % (len(lines) - most)] if len(lines) > most else [])
