# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A K3s that does not come back as it should, and a configuration that turns out not to work."""

from __future__ import annotations

from typing import Callable

from tests.faults.case import Case
from tests.faults.scene import GIVEN_UP, Scene
from tests.integration.cluster import Run

_PUT_BACK = r"msg: .{0,8}after \d+ s: .{0,200}?%s.*?The node was put back as it was and is healthy"


def _with(node: str, fault: str, given_up_after: int = GIVEN_UP) -> Callable[[Scene], Run]:
    def act(scene: Scene) -> Run:
        scene.fault(node, fault, given_up_after)
        return scene.play()

    return act


def _stale(node: str) -> Callable[[Scene], Run]:
    """Given up before the API calls a node without a heartbeat not Ready, after 40 s: only its time shows it."""
    return _with(node, "stale-heartbeat", given_up_after=25)


def _late(scene: Scene) -> Run:
    """Late, but within the time that it is given; anything else that is as late would be given up before."""
    scene.fault("server-2", "ready-late:90", given_up_after=180)
    return scene.play()


def _no_canary(scene: Scene) -> Run:
    return scene.play(canary_images=["docker.io/rancher/no-such-image:1"])


def _two_may_fail(scene: Scene) -> Run:
    scene.fault("server-1", "not-ready")
    return scene.play(max_failures=1)


def _kept(scene: Scene) -> Run:
    """on_failure: keep leaves it for inspection; the next run, with the fault gone, takes it up."""
    scene.fault("agent-1", "not-ready")
    return scene.play(on_failure="keep")


_FIRST = {"*": "old"}
_THIRD = {"server-1": "new", "server-2": "new", "*": "old"}
_LAST = {"agent-1": "old", "*": "new"}

CASES = [
    Case("never ready", "1st node", _with("server-1", "never-ready"), _PUT_BACK % "", _FIRST),
    Case("never ready", "3rd node", _with("server-3", "never-ready"), _PUT_BACK % "", _THIRD),
    Case("never ready", "last node", _with("agent-1", "never-ready"), _PUT_BACK % "", _LAST),
    Case("hangs", "1st node", _with("server-1", "hang"), _PUT_BACK % "", _FIRST),
    Case("hangs", "last node", _with("agent-1", "hang"), _PUT_BACK % "", _LAST),
    Case("crashes in a loop", "1st node", _with("server-1", "crash-loop"), _PUT_BACK % "k3s ", _FIRST),
    Case("crashes in a loop", "last node", _with("agent-1", "crash-loop"), _PUT_BACK % "k3s-agent ", _LAST),
    Case("no containerd", "last node", _with("agent-1", "containerd-down"), _PUT_BACK % "containerd", _LAST),
    Case("node not Ready", "1st node", _with("server-1", "not-ready"), _PUT_BACK % "node", _FIRST),
    Case("heartbeat stale", "1st node", _stale("server-1"), _PUT_BACK % "heartbeat", _FIRST),
    Case("heartbeat stale", "last node", _stale("agent-1"), _PUT_BACK % "heartbeat", _LAST),
    Case("etcd vote lost", "1st node", _with("server-1", "etcd-vote-lost"), _PUT_BACK % "etcd", _FIRST),
    Case("etcd vote lost", "3rd node", _with("server-3", "etcd-vote-lost"), _PUT_BACK % "etcd", _THIRD),
    Case(
        "hosts.toml not as predicted",
        "1st node",
        _with("server-1", "hosts-toml-differs"),
        r"K3s is healthy but has not loaded the configuration as predicted: .{0,80}",
        _FIRST,
    ),
    Case(
        "canary image missing",
        "1st node",
        _no_canary,
        r"the canary image docker.io/rancher/no-such-image:1 could not be pulled: .{0,120}",
        _FIRST,
    ),
    Case(
        "ready after 90 s", "2nd node", _late, r"server-2 restarted and healthy after [0-9.]+ s", {"*": "new"}, ok=True
    ),
    Case(
        "one failure allowed (max_failures: 1)",
        "1st node",
        _two_may_fail,
        r"\[4/4\] agent-1 restarted and healthy",
        {"server-1": "old", "*": "new"},
    ),
    Case(
        "left for inspection (on_failure: keep)",
        "last node",
        _kept,
        r"left in place \(on_failure: keep\)",
        {"*": "new"},
    ),
]
