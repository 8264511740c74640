# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another login without restarts, compared with the same by restarts, one node at a time, of three servers and three
agents.

The nodes run the stand-in, whose start is made to take what a real K3s takes. A server's start is work for the
processor, so that on a slow or busy machine the restarts take longer, as the live change does.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Iterator

from tests.bench.fleet_runs import SITE, FleetRuns, must_all_change
from tests.bench.measurement import Measurement
from tests.bench.ratios import Question
from tests.bench.rounds import interleaved
from tests.fleet import faults, registry, up

NAME = "benchlive"
SERVERS, AGENTS = 3, 3
FASTER = 3.0
"""At least so many times faster than the restarts."""
STARTS = {"server": "busy-start:8", "agent": "ready-late:2.4"}
"""What K3s v1.34.3 takes more than the stand-in, on two cores in a cluster of three servers: a server 7.8 to 8.7 s of a
processor's time, within 6.6 to 11.8 s; an agent 3.2 s, 0.6 of them work."""
_SECONDS = 180.0


def measurements() -> Iterator[Measurement]:
    """The lines of the report."""
    try:
        with TemporaryDirectory(prefix="k3sfleet-bench-") as folder:
            yield from _measured(FleetRuns(up.up(NAME, SERVERS, AGENTS, "k3s", "stand-in", 40), Path(folder)))
    finally:
        up.down(NAME)


def _measured(runs: FleetRuns) -> Iterator[Measurement]:
    runs.settle()
    registry.set_users(runs.fleet, runs.users())
    for node in runs.fleet.nodes:
        faults.set_fault(runs.fleet, node.name, STARTS[node.role])

    def change(apply: str, said: str) -> float:
        runs.change_login()
        return must_all_change(runs.play(SITE, apply=apply), said).seconds

    question = Question(("restarted",), ("live",), FASTER, at_least=True, most=2)
    timings = interleaved(
        {
            "live": lambda: change("live", "changed without a restart"),
            "restarted": lambda: change("restart", "restarted and healthy"),
        },
        [question],
        seconds=_SECONDS,
    )
    yield timings.plain(f"another login by restarts: {SERVERS} servers, {AGENTS} agents, slow as K3s", "restarted")
    yield timings.plain("another login live (apply: live)", "live")
    yield timings.judged("  live is faster by", question)
