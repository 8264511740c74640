# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every budget of the project: ``python -m tests.bench [--only rules,pulls] [--without-fleet] [--list]``.

Each line is measured, allowed, and the ratio of the two. The exit status is 1 where a budget is missed. To add a
theme: a function that yields measurements as it makes them, and a line in BENCHES.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING, NamedTuple

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.bench.measurement import Measurement


class Bench(NamedTuple):
    """A theme: `function` is `module:name` of what yields its measurements, imported when it is run."""

    title: str
    function: str
    needs_fleet: bool = False

    def measurements(self) -> Iterable[Measurement]:
        module, _colon, name = self.function.partition(":")
        run: Callable[[], Iterable[Measurement]] = getattr(importlib.import_module(module), name)
        return run()


BENCHES: dict[str, Bench] = {
    "rules": Bench("K3s' rules on the controller, one core", "tests.bench.rules:measurements"),
    "probe": Bench("the node asks many endpoints, some of them dead", "tests.bench.probe:measurements"),
    "pulls": Bench("diagnosis of containerd's log on a node, one core", "tests.bench.pulls:measurements"),
    "rollout": Bench("a run over a fleet of twenty nodes", "tests.bench.rollout:measurements", needs_fleet=True),
    "mirror": Bench("filling a registry, beside skopeo sync", "tests.bench.mirror:measurements"),
}


def run(names: Iterable[str]) -> int:
    """Runs these benches and prints their lines; returns how many budgets were missed."""
    missed = 0
    for name in names:
        bench = BENCHES[name]
        print(f"{name}: {bench.title}", flush=True)
        for measurement in bench.measurements():
            print("  " + measurement.line, flush=True)
            missed += measurement.is_over
    print("every budget is met" if not missed else f"{missed} OVER BUDGET")
    return missed


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 where every budget is met, 1 where one is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", metavar="NAMES", help=f"some of {','.join(BENCHES)}")
    parser.add_argument("--without-fleet", action="store_true", help="leave out what needs a fleet")
    parser.add_argument("--list", action="store_true", help="name the benches and stop")
    given = parser.parse_args(arguments)
    names = given.only.split(",") if given.only else list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)} (there are {', '.join(BENCHES)})")
    if given.without_fleet:
        names = [name for name in names if not BENCHES[name].needs_fleet]
    if given.list:
        for name in names:
            print(f"{name:<10} {BENCHES[name].title}{' (needs a fleet)' if BENCHES[name].needs_fleet else ''}")
        return 0
    return int(run(names) > 0)


if __name__ == "__main__":
    sys.exit(main())
