# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that is lost before, during and between the restarts of the others; each API is asked all the while.

These need no fault of the stand-in, and are played on a real K3s too.
"""

from __future__ import annotations

import time
from typing import Callable

from tests.faults.case import Case
from tests.faults.scene import REGISTRIES, STAGED, Missed, Scene
from tests.faults.watcher import Watcher
from tests.fleet import events, faults
from tests.integration.cluster import Run

_LOST = "server-2"
_WAITS = 6
_PATIENT = 120


def _must_stay_up(watcher: Watcher) -> None:
    """Two of three servers, at every moment."""
    few = watcher.fewer_than(2)
    if few:
        raise Missed("fewer than two servers answered: %s" % ["%.1f s" % (until - since) for since, until in few])


def _watched(scene: Scene, act: Callable[[], Run], lost: bool = True) -> Run:
    """Act, with each API asked, and the lost server back in the end."""

    def mend() -> None:
        if lost:
            faults.power_on(scene.fleet, _LOST)
        scene.running()

    with scene.mended(mend), Watcher(scene.fleet) as watcher:
        run = act()
    scene.measured("fewer than two of three APIs ready for %.1f s at the longest" % watcher.longest(2))
    _must_stay_up(watcher)
    return run


def _before(seconds: float) -> Callable[[Scene], Run]:
    def act(scene: Scene) -> Run:
        def lose_and_play() -> Run:
            faults.power_off(scene.fleet, _LOST)
            time.sleep(seconds)
            return scene.play(quorum_timeout=_WAITS)

        return _watched(scene, lose_and_play)

    return act


def _between(scene: Scene) -> Run:
    """Between stage and commit: the run takes the cluster's lease meanwhile."""

    def act() -> Run:
        strike = scene.start(quorum_timeout=_WAITS)
        strike.says(STAGED)
        faults.power_off(scene.fleet, _LOST)
        return strike.end()

    return _watched(scene, act)


def _during(scene: Scene, comes_back: bool) -> Run:
    """The plug is pulled while server-1 restarts: for that there is no help. No further restart may make it worse."""
    with scene.mended(scene.running):
        strike = scene.start(max_failures=1, quorum_timeout=_PATIENT if comes_back else _WAITS)
        strike.reaches("server-1", "restarting")
        faults.power_off(scene.fleet, _LOST)
        with scene.mended(lambda: faults.power_on(scene.fleet, _LOST)):
            strike.says("server-3 waits up to")
            if not comes_back:
                return strike.end()
        run = strike.end()
    away = {item["since"]: item["nodes"] for item in events.report(scene.fleet, run.began)["overlapping"]}
    if any("server-3" in names for names in away.values()):
        raise Missed("server-3 restarted while another server was away: %s" % away)
    return run


def _whole(scene: Scene) -> Run:
    return _watched(scene, scene.play, lost=False)


def _all_hang(scene: Scene) -> Run:
    """No server can read its file, so none runs etcd and there is no API: each has to be put right for the next one to
    come up, and until then the agents, which only lack the API, are ill as well."""
    servers = [node.name for node in scene.fleet.servers]
    for name in servers:
        scene.sh(name, "printf 'mirrors:\\n  a: b: c\\n' > %s; systemctl restart --no-block k3s" % REGISTRIES)
    time.sleep(15)
    with scene.mended(scene.running):
        return scene.play()


_OLD = {"*": "old"}
_NEW = {"*": "new"}
# While etcd elects a leader, because the lost server was it, the lease cannot be taken either.
_REFUSED = (
    r"(not restarted, and nothing was changed: .{0,180}server-2 \(its etcd does not answer[^)]*\)"
    r"|nothing was restarted: .{0,160})"
)
_WHOM = r"server-3 waits up to \d+ s before its restart for server-2 \([^)]*\)"
_ONE_AND_TWO = {"server-1": "new", "server-2": "old"}

CASES = [
    Case(
        "nothing",
        "a whole rollout, watched",
        _whole,
        r"\[4/4\] agent-1 restarted and healthy",
        _NEW,
        ok=True,
        real=True,
    ),
    Case("a server's plug pulled", "1 s before the run", _before(1), _REFUSED, _OLD, real=True),
    Case("a server's plug pulled", "5 s before the run", _before(5), _REFUSED, _OLD, real=True),
    Case("a server's plug pulled", "20 s before the run", _before(20), _REFUSED, _OLD, real=True),
    Case("a server's plug pulled", "45 s before the run", _before(45), _REFUSED, _OLD, real=True),
    Case("a server's plug pulled", "between stage and commit", _between, _REFUSED, _OLD, real=True),
    Case(
        "a server's plug pulled",
        "while another restarts",
        lambda scene: _during(scene, comes_back=False),
        _WHOM,
        {**_ONE_AND_TWO, "*": "old"},
        real=True,
        overlap=("server-1", "server-2"),
    ),
    Case(
        "a server's plug pulled, back later",
        "while another restarts",
        lambda scene: _during(scene, comes_back=True),
        _WHOM,
        {**_ONE_AND_TWO, "*": "new"},
        real=True,
        overlap=("server-1", "server-2"),
    ),
    Case(
        "all servers hang on their file",
        "before the run",
        _all_hang,
        r"\[4/4\] agent-1 restarted and healthy",
        _NEW,
        ok=True,
        real=True,
        overlap=("server-1", "server-2", "server-3"),
    ),
]
