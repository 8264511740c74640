# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that is ill before the run, and two runs at once."""

from __future__ import annotations

from tests.faults.case import Case
from tests.faults.scene import Missed, Scene
from tests.fleet import faults
from tests.integration.cluster import Run

_OLD = {"*": "old"}


def _ill_server(scene: Scene) -> Run:
    faults.set_fault(scene.fleet, "server-2", "not-ready")
    scene.sh("server-2", "systemctl restart k3s")
    run = scene.play()
    scene.no_faults()
    scene.sh("server-2", "systemctl restart k3s")
    scene.running("server-2")
    return run


def _ill_agent(scene: Scene) -> Run:
    faults.set_fault(scene.fleet, "agent-1", "containerd-down")
    scene.sh("agent-1", "systemctl restart --no-block k3s-agent")
    run = scene.play()
    scene.no_faults()
    scene.sh("agent-1", "systemctl restart k3s-agent")
    scene.running("agent-1")
    return run


def _two_runs(scene: Scene) -> Run:
    """The first is still at its third node when the second has seen that it lives: it renews every 15 s. The second is
    for a node that the first has yet to come to; at one in its commit it would wait before it asks for the lease."""
    scene.fault("server-3", "ready-late:90", given_up_after=180)
    first = scene.start()
    first.says("[1/4]")
    second = scene.play("--limit", "agent-1")
    ended = first.end()
    if ended.code:
        raise Missed("the first run did not go on:\n" + ended.output[-3000:])
    if any(second.changed[name] > 1 for name in second.changed):
        raise Missed("the second run has changed something")
    return second


def _another_server(scene: Scene) -> Run:
    """The lease is the cluster's, so it can be taken through any server."""
    with scene.mended(lambda: faults.heal(scene.fleet, "server-1")):
        faults.cut(scene.fleet, "server-1")
        return scene.play("--limit", "agent-1")


_REFUSED = r"nothing was restarted, because the cluster was not healthy before the rollout \({0}.{{0,60}}"

CASES = [
    Case("ill before the run", "a server", _ill_server, _REFUSED.format("server-2"), _OLD),
    Case("ill before the run", "an agent", _ill_agent, _REFUSED.format("agent-1"), _OLD),
    Case(
        "two runs at once",
        "the second",
        _two_runs,
        r"nothing was restarted: the cluster is being worked on by .{0,80}",
        {"*": "new"},
    ),
    Case(
        "connection cut",
        "the server that has the lease",
        _another_server,
        r"The lease cannot be taken through server-1: .{0,80}",
        {"agent-1": "new", "*": "old"},
        ok=True,
    ),
]
