# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A case of the matrix and how it is judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Mapping

from tests.faults.scene import Missed, Scene, excerpt
from tests.fleet import events
from tests.integration.cluster import Run

EITHER = "old or new"


@dataclass(frozen=True)
class Case:
    """``act`` brings the fault about, runs into it and undoes it; it returns the run that met it.

    :ivar says: what that run has to say, a regular expression; "" where it was killed and says nothing.
    :ivar after: node to the state it has to be in afterwards; ``*`` are all others.
    :ivar then: states after the next run, which has to succeed; the one after that changes nothing.
    :ivar quick: whether it is one of the few that ``make test`` runs.
    :ivar ok: whether the run that met the fault has to succeed.
    :ivar real: whether it needs no fault of the stand-in, and can be played on a real K3s.
    :ivar overlap: servers that the case itself takes away at the same time.
    """

    fault: str
    where: str
    act: Callable[[Scene], Run]
    says: str
    after: Mapping[str, str]
    then: Mapping[str, str] = field(default_factory=lambda: {"*": "new"})
    quick: bool = False
    ok: bool = False
    real: bool = False
    overlap: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return "%s, %s" % (self.fault, self.where)


@dataclass(frozen=True)
class Row:
    """What came of a case; ``missed`` is "" when all of it was as expected."""

    case: Case
    said: str = ""
    after: Mapping[str, str] = field(default_factory=dict)
    then: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    missed: str = ""


def play(case: Case, scene: Scene) -> tuple[str, dict[str, str], dict[str, str]]:
    """Play one case on a fleet that has the change before it loaded everywhere.

    :returns: what the run said, and the nodes' states after it and after the next run.
    :raises Missed: when something is not as the case says.
    """
    scene.next()
    run = case.act(scene)
    scene.quiet()
    scene.no_faults()
    said = excerpt(run, case.says) if case.says else "(killed)"
    if case.says and case.ok != (run.code == 0):
        raise Missed("the run ended with %d:\n%s" % (run.code, run.output[-3000:]))
    after = scene.states()
    _compare(after, case.after, "after the fault")
    following = scene.play()
    if following.code:
        raise Missed("the next run failed:\n%s" % following.output[-4000:])
    then = scene.states()
    _compare(then, case.then, "after the next run")
    third = scene.play()
    if third.code or any(third.changed.values()):
        raise Missed("the run after the next one changed something:\n%s" % third.output[-3000:])
    scene.all_started()
    servers = [
        pair for pair in events.report(scene.fleet, run.began)["overlapping"] if set(pair["roles"]) == {"server"}
    ]
    servers = [pair for pair in servers if not set(pair["nodes"]) <= set(case.overlap)]
    if servers:
        raise Missed("two servers were away at once: %s" % servers)
    if scene.leaks:
        raise Missed("secrets in the output: %s" % sorted(set(scene.leaks)))
    return said, after, then


def _compare(found: Mapping[str, str], wanted: Mapping[str, str], when: str) -> None:
    wrong = {
        name: state for name, state in found.items() if state not in wanted.get(name, wanted.get("*", "")).split(" or ")
    }
    if wrong:
        raise Missed("%s: %s, wanted %s" % (when, wrong, dict(wanted)))
