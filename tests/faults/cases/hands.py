# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People and other tools at work on a node: edits, restarts, a K3s that is stopped or not there."""

from __future__ import annotations

from tests.faults.case import Case
from tests.faults.scene import REGISTRIES, STAGED, Missed, Scene
from tests.integration.cluster import Run

_ALL_DONE = r"\[\d/\d\] agent-1 [a-z ]+ after [0-9.]+ s"
_NEW = {"*": "new"}


def _edited(scene: Scene) -> Run:
    """An edit that nobody has restarted for, then a change of ours."""
    scene.sh("agent-1", "echo '  quay.io:' >> %s" % REGISTRIES)
    return scene.play()


def _edited_and_restarted(scene: Scene) -> Run:
    scene.sh("agent-1", "sed -i 's/^mirrors:/mirrors:\\n  \"by-hand.test\": {}/' %s" % REGISTRIES)
    scene.sh("agent-1", "systemctl restart k3s-agent")
    scene.running("agent-1")
    return scene.play()


def _broken_and_restarted(scene: Scene) -> Run:
    """K3s waits for a file that it can read. Putting it right is enough: the only restart is the one by hand."""
    scene.play().code or scene.running()
    scene.sh("agent-1", "printf 'mirrors:\\n  a: b: c\\n' > %s; systemctl restart --no-block k3s-agent" % REGISTRIES)
    run = scene.play()
    restarts = scene.cluster.restarts(run.began)
    if any(restarts.values()):
        raise Missed("restarted: %s" % restarts)
    return run


def _restarted_meanwhile(scene: Scene) -> Run:
    strike = scene.start()
    strike.says(STAGED)
    scene.sh("agent-1", "systemctl restart k3s-agent")
    return strike.end()


def _not_installed(scene: Scene) -> Run:
    """A node that is being set up: the files are there before K3s is."""
    hide = (
        "systemctl stop k3s-agent; mv /usr/local/bin/k3s /var/tmp/k3s.away; "
        "unit=$(systemctl show -p FragmentPath --value k3s-agent); echo $unit > /var/tmp/unit.away.path; "
        "mv $unit /var/tmp/unit.away; systemctl daemon-reload"
    )
    bring_back = (
        "mv /var/tmp/k3s.away /usr/local/bin/k3s; mv /var/tmp/unit.away $(cat /var/tmp/unit.away.path); "
        "systemctl daemon-reload; systemctl start k3s-agent"
    )
    scene.sh("agent-1", hide)
    try:
        run = scene.play()
        state = scene.states()["agent-1"]
        if state != "new, stopped":
            raise Missed("agent-1 without K3s: %s" % state)
    finally:
        scene.sh("agent-1", bring_back)
    scene.running("agent-1")
    return run


def _stopped(scene: Scene) -> Run:
    scene.sh("agent-1", "systemctl stop k3s-agent")
    return scene.play()


CASES = [
    Case("edited by hand, not restarted", "last node", _edited, _ALL_DONE, _NEW, ok=True),
    Case("edited by hand and restarted", "last node", _edited_and_restarted, _ALL_DONE, _NEW, ok=True),
    Case("broken by hand and hanging", "last node", _broken_and_restarted, _ALL_DONE, _NEW, ok=True),
    Case("restarted by someone between stage and commit", "last node", _restarted_meanwhile, _ALL_DONE, _NEW, ok=True),
    Case("K3s not installed", "last node", _not_installed, r"Rollout plan: 3 of 4 nodes restart", _NEW, ok=True),
    Case(
        "K3s stopped on purpose",
        "last node",
        _stopped,
        r"Rollout plan: 3 of 4 nodes restart",
        {"agent-1": "new, stopped", "*": "new"},
        {"agent-1": "new, stopped", "*": "new"},
        ok=True,
    ),
]
