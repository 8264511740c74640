# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Struck in the middle: the controller killed, the connection cut, the node's plug pulled, at every step of a run."""

from __future__ import annotations

from typing import Callable

from tests.faults.case import EITHER, Case
from tests.faults.scene import GIVEN_UP, STAGED, STAGING, Scene, Strike
from tests.fleet import faults
from tests.integration.cluster import Run

Moment = Callable[[Scene, Strike, str], None]


def _staging(_scene: Scene, strike: Strike, _node: str) -> None:
    strike.says(STAGING)


def _staged(_scene: Scene, strike: Strike, _node: str) -> None:
    strike.says(STAGED)


def _committing(_scene: Scene, strike: Strike, node: str) -> None:
    strike.reaches(node, "")


def _waiting(_scene: Scene, strike: Strike, node: str) -> None:
    strike.reaches(node, "restarting")


def _putting_back(_scene: Scene, strike: Strike, node: str) -> None:
    strike.reaches(node, "putting generation")


def _start(scene: Scene, moment: Moment, node: str) -> Strike:
    """A run that comes to this moment, and is still there when that has been seen, however busy the machine is."""
    scene.give_up(node)
    if moment is _putting_back:
        scene.fault(node, "never-ready", given_up_after=8)
    elif moment is _waiting and scene.fleet.k3s == "stand-in":
        scene.fault(node, "ready-late:15")
    return scene.start()


def _killed(node: str, moment: Moment) -> Callable[[Scene], Run]:
    def act(scene: Scene) -> Run:
        with scene.mended(scene.no_faults):
            strike = _start(scene, moment, node)
            moment(scene, strike, node)
            return strike.kill()

    return act


def _cut(node: str, moment: Moment) -> Callable[[Scene], Run]:
    """The node's answers vanish, and the controller's connection with them; the node itself goes on."""

    def act(scene: Scene) -> Run:
        def mend() -> None:
            faults.heal(scene.fleet, node)
            scene.no_faults()

        with scene.mended(mend):
            if moment is _staging:
                faults.cut(scene.fleet, node)
            strike = _start(scene, moment, node)
            if moment is not _staging:
                moment(scene, strike, node)
                faults.cut(scene.fleet, node)
            return strike.end()

    return act


def _plug(node: str, moment: Moment) -> Callable[[Scene], Run]:
    def act(scene: Scene) -> Run:
        # An agent is healthy within seconds: its wait lasts until the plug is out, however busy the machine is.
        lasts = moment is _waiting and node in scene.cluster.agents
        scene.give_up(node)
        if lasts or moment is _putting_back:
            scene.fault(node, "never-ready", given_up_after=8 if moment is _putting_back else GIVEN_UP)

        def mend() -> None:
            scene.no_faults_but(node)
            faults.power_on(scene.fleet, node)
            scene.no_faults()
            if lasts:
                # It has started with the new configuration, and so with the fault, which is read at a start.
                scene.sh(node, "systemctl restart " + scene.cluster.service(node))
            scene.running()
            if node not in scene.cluster.agents:
                scene.lease_ended()

        with scene.mended(mend):
            if moment is _staging:
                faults.power_off(scene.fleet, node)
            strike = scene.start()
            if moment is not _staging:
                moment(scene, strike, node)
                faults.power_off(scene.fleet, node)
            return strike.end()

    return act


_OLD = {"*": "old"}
_FIRST_NEW = {"server-1": "new", "*": "old"}
_LAST_OPEN = {"agent-1": EITHER, "*": "new"}
_GONE = r"(UNREACHABLE!|FAILED after [0-9.]+ s \(last step: connection lost\)|connection lost)"

CASES = [
    Case("controller killed", "while staging", _killed("server-1", _staging), "", _OLD),
    Case("controller killed", "between stage and commit", _killed("server-1", _staged), "", _OLD),
    Case("controller killed", "during the commit", _killed("server-1", _committing), "", _FIRST_NEW),
    Case("controller killed", "during the wait", _killed("server-1", _waiting), "", _FIRST_NEW),
    Case("controller killed", "during the rollback", _killed("server-1", _putting_back), "", _OLD),
    # Who cannot be reached while staging has not been touched; the others go on.
    Case("connection cut", "while staging", _cut("agent-1", _staging), _GONE, {"agent-1": "old", "*": "new"}),
    Case("connection cut", "between stage and commit", _cut("server-1", _staged), _GONE, _OLD),
    Case("connection cut", "during the commit", _cut("server-1", _committing), _GONE, _FIRST_NEW),
    Case("connection cut", "during the wait", _cut("server-1", _waiting), _GONE, _FIRST_NEW),
    Case("connection cut", "during the rollback", _cut("server-1", _putting_back), _GONE, _OLD),
    Case("plug pulled", "while staging", _plug("agent-1", _staging), _GONE, {"agent-1": "old", "*": "new"}),
    Case("plug pulled", "between stage and commit", _plug("agent-1", _staged), _GONE, {"agent-1": "old", "*": "new"}),
    Case("plug pulled", "during the commit", _plug("agent-1", _committing), _GONE, _LAST_OPEN),
    Case("plug pulled", "during the wait", _plug("agent-1", _waiting), _GONE, _LAST_OPEN, quick=True),
    Case("plug pulled", "during the rollback", _plug("agent-1", _putting_back), _GONE, _LAST_OPEN),
    Case("plug pulled", "during a server's wait", _plug("server-1", _waiting), _GONE, {"server-1": EITHER, "*": "old"}),
]
