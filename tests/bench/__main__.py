# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every budget of the project: ``python -m tests.bench [--only rules,pulls] [--large] [--without-fleet] [--list]``.

Each line is measured, allowed, and the ratio of the two. The exit status is 1 where a budget is missed, and 2 where the
bench itself cannot go on. To add a theme: a function that yields measurements as it makes them, and a line in BENCHES.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable
from tests.bench.measurement import NotMeasured
from tests.fleet.process import FleetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.bench.measurement import Measurement


class Bench(NamedTuple):
    """A theme: `function` is `module:name` of what yields its measurements, imported when it is run."""

    title: str
    function: str
    needs_fleet: bool = False
    large: bool = False

    def measurements(self) -> Iterable[Measurement | NotMeasured]:
        module, _colon, name = self.function.partition(":")
        run: Callable[[], Iterable[Measurement | NotMeasured]] = getattr(importlib.import_module(module), name)
        return run()


BENCHES: dict[str, Bench] = {
    "rules": Bench("K3s' rules on the controller, one core", "tests.bench.rules:measurements"),
    "probe": Bench("the node asks many endpoints, some of them dead", "tests.bench.probe:measurements"),
    "pulls": Bench("diagnosis of containerd's log on a node, one core", "tests.bench.pulls:measurements"),
    "rehearsal": Bench("a node rehearses many images", "tests.bench.rehearsal:measurements"),
    "payload": Bench("what is sent to a node, and slow links", "tests.bench.payload:measurements", needs_fleet=True),
    "rollout": Bench("a run over a fleet of twenty nodes", "tests.bench.rollout:measurements", needs_fleet=True),
    "live": Bench("new credentials without a restart", "tests.bench.live:measurements", needs_fleet=True),
    "restarts": Bench("restarted nodes, on a real K3s", "tests.bench.restarts:measurements", needs_fleet=True),
    "scale": Bench("an unchanged fleet of up to 400 nodes", "tests.bench.scale:measurements", needs_fleet=True),
    "scale-large": Bench("an unchanged fleet of 1,000 nodes", "tests.bench.scale:large", needs_fleet=True, large=True),
    "mirror": Bench("filling a registry, beside skopeo sync", "tests.bench.mirror:measurements"),
}


class Outcome(NamedTuple):
    """How many budgets were missed, how many could not be measured here, and which benches could not go on."""

    missed: int
    unmeasured: int
    broken: list[str]

    @property
    def status(self) -> int:
        return 2 if self.broken else int(self.missed > 0)

    @property
    def line(self) -> str:
        parts = [f"{self.missed} OVER BUDGET"] * bool(self.missed)
        parts += [f"{self.unmeasured} not measured"] * bool(self.unmeasured)
        parts += ["BROKEN: " + ", ".join(self.broken)] * bool(self.broken)
        met = "every measured budget is met" if self.unmeasured or self.broken else "every budget is met"
        return "; ".join(parts if self.missed else [met, *parts])


def run(names: Iterable[str]) -> Outcome:
    """Runs these benches and prints their lines."""
    missed = unmeasured = 0
    broken = []
    for name in names:
        bench = BENCHES[name]
        print(f"{name}: {bench.title}", flush=True)
        began = time.monotonic()
        try:
            for measurement in bench.measurements():
                print("  " + measurement.line, flush=True)
                missed += measurement.is_over
                unmeasured += isinstance(measurement, NotMeasured)
        except FleetError as error:
            print(f"  BROKEN: {error}", flush=True)
            broken.append(name)
        print(f"  ({time.monotonic() - began:.0f} s)", flush=True)
    return Outcome(missed, unmeasured, broken)


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 where every budget is met, 1 where one is missed, 2 where something cannot be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", metavar="NAMES", help=f"some of {','.join(BENCHES)}")
    parser.add_argument("--large", action="store_true", help="only what takes too long for each change")
    parser.add_argument("--without-fleet", action="store_true", help="leave out what needs a fleet")
    parser.add_argument("--list", action="store_true", help="name the benches and stop")
    given = parser.parse_args(arguments)
    names = given.only.split(",") if given.only else _all(given.large)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)} (there are {', '.join(BENCHES)})")
    if given.without_fleet:
        names = [name for name in names if not BENCHES[name].needs_fleet]
    if given.list:
        for name in names:
            print(f"{name:<12} {BENCHES[name].title}{' (needs a fleet)' if BENCHES[name].needs_fleet else ''}")
        return 0
    began = time.monotonic()
    try:
        outcome = run(names)
    finally:
        _clean_up(names)
    print(f"{outcome.line} ({time.monotonic() - began:.0f} s)")
    return outcome.status


def _all(large: bool) -> list[str]:
    return [name for name, bench in BENCHES.items() if bench.large == large]


def _clean_up(names: Iterable[str]) -> None:
    """Benches with a fleet share it, so that it stays until the last of them."""
    if {"rollout", "payload"} & set(names):
        from tests.bench.fleet_runs import remove

        remove()


if __name__ == "__main__":
    sys.exit(main())
