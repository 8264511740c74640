# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an unchanged fleet costs with more and more nodes, over local connections, compared with a ping of the same
nodes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Callable, Iterator

from tests.bench import recorded
from tests.bench.ansible_run import Run
from tests.bench.local_nodes import FORKS, LocalNodes
from tests.bench.measurement import Measurement
from tests.bench.ratios import Question
from tests.bench.rounds import Timings, interleaved
from tests.fleet.process import say

SIZES = (20, 400)
LARGE_SIZES = (100, 1000)

UNCHANGED = 1.0
"""Times a ping of the same nodes."""
GROWTH = 1.1
"""Of the cost per node from the smallest size to the largest, compared with that of a ping."""
MEMORY = 1.3
"""Times the controller's memory during a ping of the same nodes."""
TABLES = 0.5
"""Of a ping: the controller's part of plan, summary, verify, diagnose and report."""
NODES_OF_TABLES = 1000


def measurements() -> Iterator[Measurement]:
    """For each change: up to 400 nodes. Whether the cost per node grows is left to :func:`large`: that takes sizes
    which are further apart, and many rounds."""
    yield from _measured(SIZES, seconds=200.0)


def large() -> Iterator[Measurement]:
    """A thousand nodes."""
    yield from _measured(LARGE_SIZES, seconds=2400.0, growth=GROWTH)


@dataclass
class _Kept:
    """All runs by what they were: ("ping", 400)."""

    runs: dict[tuple[str, int], list[Run]] = field(default_factory=lambda: defaultdict(list))

    def timed(self, name: str, count: int, run: Callable[..., Run], **options: bool) -> float:
        done = run(count, memory=True, **options)
        self.runs[name, count].append(done)
        return done.seconds

    def megabytes(self, name: str, count: int) -> float:
        return median(run.memory for run in self.runs[name, count]) / 1e6


def _measured(sizes: tuple[int, ...], seconds: float, growth: float | None = None) -> Iterator[Measurement]:
    kept, smallest, largest = _Kept(), sizes[0], sizes[-1]
    with LocalNodes(largest) as nodes:
        runs: dict[str, Callable[[], float]] = {}
        for count in sizes:
            runs[_ping(count)] = partial(kept.timed, "ping", count, nodes.ping)
            runs[_site(count)] = partial(kept.timed, "site", count, nodes.site, notes=True)
        unchanged = {
            count: Question((_site(count),), (_ping(count),), UNCHANGED if count == largest else None)
            for count in sizes
        }
        grows = Question((_site(largest), _ping(smallest)), (_site(smallest), _ping(largest)), growth)
        timings = interleaved(runs, [*unchanged.values(), grows], seconds=seconds, tell=say)
    for count in sizes:
        yield from _per_node(timings, count)
        yield timings.judged(f"  site.yml, unchanged, {count} nodes: of the ping", unchanged[count])
    yield timings.judged(f"cost per node, {largest} nodes to {smallest}: growth, of the ping's", grows)
    yield from _of_the_controller(kept, largest)
    yield from _tables(timings.seconds(_ping(largest)) / largest)


def _ping(count: int) -> str:
    return f"ping {count}"


def _site(count: int) -> str:
    return f"site {count}"


def _per_node(timings: Timings, count: int) -> Iterator[Measurement]:
    for name, what in ((_ping(count), "ansible -m ping"), (_site(count), "site.yml, unchanged")):
        seconds = timings.seconds(name)
        yield Measurement(f"{what}, {count} local nodes, {FORKS} forks", seconds, "s")
        yield Measurement("  for each node", seconds / count * 1000, "ms")


def _of_the_controller(kept: _Kept, count: int) -> Iterator[Measurement]:
    """Memory, lines, and the ledger, of the runs over the most nodes."""
    ping, site = (kept.megabytes(name, count) for name in ("ping", "site"))
    yield Measurement(f"the controller's memory, ansible -m ping, {count} nodes (PSS)", ping, "MB")
    yield Measurement("the same, site.yml, unchanged", site, "MB")
    yield Measurement("  of the ping's", site / ping, "times", MEMORY)
    last = kept.runs["site", count][-1]
    yield Measurement(f"lines of output, site.yml, unchanged, {count} nodes", last.lines, "lines")
    yield Measurement("  of ansible -m ping", kept.runs["ping", count][-1].lines, "lines")
    notes = [note for note in last.notes if "ledger" in note]
    held = [note for note in notes if note["ledger"] == "held"]
    yield Measurement("size of the ledger", sum(note.get("bytes", 0) for note in notes) / 1e3, "kB")
    yield Measurement("time under its lock, all processes", sum(note["seconds"] for note in held), "s")
    yield Measurement("  waited for it", sum(note["waited"] for note in held), "s")


def _tables(ping: float) -> Iterator[Measurement]:
    """:param ping: seconds for each node."""
    total = 0.0
    for name, seconds in recorded.timed(NODES_OF_TABLES):
        total += seconds
        yield Measurement(f"{name}, {NODES_OF_TABLES} recorded nodes", seconds, "s")
    ratio = total / (ping * NODES_OF_TABLES)
    yield Measurement(f"  together, of a ping of {NODES_OF_TABLES} (by its cost per node)", ratio, "times", TABLES)
