# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over a fleet takes, over SSH: unchanged, with new files, and live, compared with a ping, with restarts,
and with the tasks that people write for it.

Everything that a line compares runs by turns on the same nodes, with ten forks and pipelining. The nodes run the
stand-in, which is ready sooner than a real K3s. Where restarts are compared with something else, it takes its time, as
long as a real K3s does; the bench of restarts compares the two on a real one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Callable, Iterator

from tests.bench.fleet_runs import BUILTIN, FORKS, SITE, VERIFY, FleetRuns, bench_fleet, must_all_change
from tests.bench.measurement import Measurement
from tests.bench.ratios import Question
from tests.bench.rounds import Timings, interleaved
from tests.fleet import faults, registry

UNCHANGED, CERTIFICATES, REMOTE = 1.0, 2.0, 1.5
"""At most so many times a ping, a ping, and what the nodes are asked."""
BUILTIN_UNCHANGED, BUILTIN_CHANGED, LIVE = 5.0, 3.0, 3.0
"""At least so many times faster than builtin modules, the same with a change, and restarts."""

RESTARTED = 6
"""Nodes."""
STARTS = {"server": 10.0, "agent": 3.0}
"""Seconds that a real K3s v1.34.3 takes to start, on two cores."""
_STAND_IN_STARTS = 0.6
"""Seconds."""

_SECONDS = {"unchanged": 75.0, "certificates": 50.0, "staged": 50.0, "live": 150.0}
"""After how long no round more begins, so that all of them together leave time for the other benches."""


def measurements() -> Iterator[Measurement]:
    """The lines of the report, as they come."""
    with tempfile.TemporaryDirectory(prefix="k3sfleet-bench-") as folder:
        runs = FleetRuns(bench_fleet(), Path(folder))
        runs.settle()
        runs.play(BUILTIN)
        for part in (_unchanged, _certificates, _live, _verified, _staged):
            yield from part(runs)


def _unchanged(runs: FleetRuns) -> Iterator[Measurement]:
    ours = Question(("unchanged",), ("ping",), UNCHANGED)
    theirs = Question(("builtin",), ("unchanged",), BUILTIN_UNCHANGED, at_least=True, most=1)
    timings = interleaved(
        {
            "ping": lambda: runs.ping().seconds,
            "unchanged": lambda: runs.unchanged().seconds,
            "builtin": lambda: runs.play(BUILTIN).seconds,
        },
        [ours, theirs],
        most=12, seconds=_SECONDS["unchanged"],
    )  # fmt: skip
    yield timings.plain(f"ansible -m ping, {runs.nodes} nodes over SSH, {FORKS} forks", "ping")
    yield timings.plain("site.yml, unchanged", "unchanged")
    yield timings.judged("  of the ping", ours)
    yield timings.plain("the same with builtin modules (file, copy, notify), unchanged", "builtin")
    yield timings.judged("  site.yml is faster by", theirs)


def _certificates(runs: FleetRuns) -> Iterator[Measurement]:
    question = Question(("changed",), ("ping",), CERTIFICATES)

    def change() -> float:
        runs.change_ca()
        return must_all_change(runs.play(SITE), "").seconds

    timings = interleaved(
        {"ping": lambda: runs.ping().seconds, "changed": change}, [question], seconds=_SECONDS["certificates"]
    )
    yield timings.plain("site.yml, another CA on every node, no restart", "changed")
    yield timings.judged("  of the ping", question)


def _live(runs: FleetRuns) -> Iterator[Measurement]:
    question = Question(("restarted",), ("live",), LIVE, at_least=True, most=2)
    registry.set_users(runs.fleet, runs.users())
    # Restarts of all nodes, one at a time, would take longer than the other lines together.
    chosen = runs.fleet.nodes[:RESTARTED]
    some = ",".join(node.name for node in chosen)
    for node in chosen:
        faults.set_fault(runs.fleet, node.name, "ready-late:%.1f" % (STARTS[node.role] - _STAND_IN_STARTS))

    def change(apply: str, said: str) -> float:
        runs.change_login()
        return must_all_change(runs.play(SITE, "--limit", some, apply=apply), said).seconds

    timings = interleaved(
        {
            "live": lambda: change("live", "changed without a restart"),
            "restarted": lambda: change("restart", "restarted and healthy"),
        },
        [question],
        seconds=_SECONDS["live"],
    )  # fmt: skip
    for node in chosen:
        faults.set_fault(runs.fleet, node.name, "clear")
    yield timings.plain(f"another login on {RESTARTED} nodes by restarts, one at a time", "restarted")
    yield timings.plain("another login live (apply: live)", "live")
    yield timings.judged("  live is faster by", question)


def _verified(runs: FleetRuns) -> Iterator[Measurement]:
    """Both from the same run: what its workers spend on what nodes are asked, and the whole."""
    runs.play(SITE, apply="settle", agent_batch="100%")
    question = Question(("whole",), ("asked",), REMOTE)
    timings = Timings()
    for _number in range(3):
        run = runs.play(VERIFY, notes=True)
        asked = sum(note["seconds"] for note in run.notes if "remote" in note)
        timings.rounds.append({"whole": run.seconds, "asked": asked / min(FORKS, runs.nodes)})
    yield timings.plain("verify.yml", "whole")
    yield timings.plain(f"  what it asks the nodes, in {FORKS} forks", "asked")
    yield timings.judged("  verify.yml, of that", question)


def _staged(runs: FleetRuns) -> Iterator[Measurement]:
    question = Question(("rewritten",), ("staged",), BUILTIN_CHANGED, at_least=True, most=2)

    def with_a_new_mirror(run: Callable[[], float]) -> Callable[[], float]:
        def call() -> float:
            runs.add_mirror()
            return run()

        return call

    timings = interleaved(
        {
            "staged": with_a_new_mirror(lambda: runs.play(SITE, apply="stage").seconds),
            "rewritten": with_a_new_mirror(lambda: runs.play(BUILTIN).seconds),
        },
        [question],
        seconds=_SECONDS["staged"],
    )
    yield timings.plain("a new mirror, staged, without the restarts", "staged")
    yield timings.judged("  faster than builtin modules by", question)
