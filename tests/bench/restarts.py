# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a run takes for each node that it restarts, compared with what K3s itself needs: on a real one only.

K3s' own time is from ``systemctl restart`` to the first heartbeat or renewal of the node's Lease since then; the run's
is what it says of the node, without canary images. Both are taken from the same restart, because a K3s server that
starts in 7 seconds may need 12 the next time.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path
from typing import Iterator

from tests.bench.fleet_runs import SITE, FleetRuns
from tests.bench.heartbeats import Heartbeats, seconds_of_restart
from tests.bench.measurement import Measurement, NotMeasured
from tests.bench.ratios import Question
from tests.bench.rounds import Timings
from tests.fleet import up
from tests.fleet.process import FleetError

NAME = "benchreal"
RESTART = 1.2
"""Times what K3s needs."""
_NODES = {"server": "server-1", "agent": "agent-1"}
_SECONDS = 150.0
_HEALTHY = re.compile(r"\] (\S+) restarted and healthy after ([\d.]+) s")


def measurements() -> Iterator[Measurement | NotMeasured]:
    """The lines of the report; one that says so where there is no real K3s."""
    if not os.environ.get("K3S_BINARY"):
        yield NotMeasured("a restarted node, of what K3s itself needs", "set K3S_BINARY to a real K3s")
        return
    try:
        with tempfile.TemporaryDirectory(prefix="k3sfleet-bench-") as folder:
            yield from _measured(FleetRuns(up.up(NAME, 1, 1, "k3s", "auto", 40), Path(folder)))
    finally:
        up.down(NAME)


def seconds_of(node: str, output: str) -> float:
    """What a run says that a node's restart has taken.

    :raises FleetError: if it has not restarted that node.
    """
    for name, seconds in _HEALTHY.findall(output):
        if name == node:
            return float(seconds)
    raise FleetError("%s was to be restarted:\n%s" % (node, output[-3000:]))


def _measured(runs: FleetRuns) -> Iterator[Measurement]:
    runs.settle()
    heartbeats = Heartbeats(runs.fleet)

    def restart(role: str) -> dict[str, float]:
        name = _NODES[role]
        node = runs.fleet.node(name)
        runs.add_mirror()
        with heartbeats.watched(node) as signs:
            output = runs.play(SITE, "--limit", name, canary_images=[]).output
        own = seconds_of_restart(heartbeats.restarted_at(node), signs)
        return {"K3s " + role: own, "run " + role: seconds_of(name, output)}

    questions = {role: Question(("run " + role,), ("K3s " + role,), RESTART) for role in _NODES}
    timings, began = Timings(), time.monotonic()
    while time.monotonic() - began < _SECONDS and not timings.settles(questions.values()):
        timings.rounds.append({**restart("server"), **restart("agent")})
    for role, question in questions.items():
        yield timings.plain(f"a K3s {role}: systemctl restart to the first sign of it", "K3s " + role)
        yield timings.plain(f"a K3s {role} that site.yml restarts", "run " + role)
        yield timings.judged("  of what K3s needs", question)
