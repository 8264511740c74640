# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over a fleet takes, over SSH: unchanged and with new files, compared with a ping and with the tasks that
people write for it.

Everything that a line compares runs by turns on the same nodes, with ten forks and pipelining.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Callable, Iterator

from tests.bench.fleet_runs import BUILTIN, FORKS, SITE, VERIFY, FleetRuns, bench_fleet, must_all_change
from tests.bench.measurement import Measurement
from tests.bench.ratios import Question
from tests.bench.rounds import Timings, interleaved

UNCHANGED, CERTIFICATES, REMOTE = 1.0, 2.0, 1.5
"""At most so many times a ping, a ping, and what the nodes are asked."""
BUILTIN_UNCHANGED, BUILTIN_CHANGED = 5.0, 3.0
"""At least so many times faster than builtin modules, and the same with a change."""

_SECONDS = {"unchanged": 75.0, "certificates": 50.0, "staged": 140.0}
"""After how long no round more begins, so that all of them together leave time for the other benches."""


def measurements() -> Iterator[Measurement]:
    """The lines of the report, as they come."""
    with tempfile.TemporaryDirectory(prefix="k3sfleet-bench-") as folder:
        runs = FleetRuns(bench_fleet(), Path(folder))
        runs.settle()
        runs.play(BUILTIN)
        for part in (_unchanged, _certificates, _verified, _staged):
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


def _verified(runs: FleetRuns) -> Iterator[Measurement]:
    """Both from the same run: what its workers spend on what nodes are asked, and the whole."""
    runs.play(SITE, apply="settle", agent_batch="100%")
    question = Question(("whole",), ("asked",), REMOTE)
    run = runs.play(VERIFY, notes=True)
    asked = sum(note["seconds"] for note in run.notes if "remote" in note)
    timings = Timings([{"whole": run.seconds, "asked": asked / min(FORKS, runs.nodes)}])
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
