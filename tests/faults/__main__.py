# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.faults``: the fault matrix, played on a fleet of three servers and an agent, and its table."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import case as judging
from tests.faults.case import Case, Row
from tests.faults.cases import CASES
from tests.faults.scene import Missed, Scene
from tests.faults.table import table
from tests.fleet import up


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="only cases whose name contains TEXT; may be given again"
    )
    parser.add_argument("--quick", action="store_true", help="only the cases that make test runs")
    parser.add_argument("--list", action="store_true", help="name the cases and do nothing")
    parser.add_argument("--keep", action="store_true", help="take the fleet that is there, and leave it when done")
    parser.add_argument(
        "--k3s", choices=["stand-in", "auto"], default="stand-in",
        help="auto: a real K3s, K3S_BINARY, with the cases that need no fault of the stand-in",
    )  # fmt: skip
    parser.add_argument("--fleet", default="faults", metavar="NAME", help="the fleet's name, for matrices side by side")
    options = parser.parse_args()
    wanted = options.only or [""]
    chosen = [
        case
        for case in CASES
        if any(text in case.name for text in wanted)
        and (case.quick or not options.quick)
        and (case.real or options.k3s == "stand-in")
    ]
    if options.list or not chosen:
        print("\n".join(case.name for case in chosen) or "no such case")
        return 0 if chosen else 2
    if not options.keep:
        up.down(options.fleet)
    fleet = up.up(options.fleet, 3, 1, "k3s", options.k3s, 40)
    rows: list[Row] = []
    try:
        with tempfile.TemporaryDirectory(prefix="k3sfleet-faults-") as folder:
            scene = Scene(fleet, Path(folder))
            first = scene.play()
            if first.code:
                sys.exit("the fleet cannot be set up:\n" + first.output)
            for number, case in enumerate(chosen, 1):
                rows.append(_played(case, scene))
                print(
                    "[%d/%d] %s: %s after %.0f s" % (number, len(chosen), case.name, _word(rows[-1]), rows[-1].seconds),
                    flush=True,
                )
                if rows[-1].missed:
                    print(rows[-1].missed, flush=True)
                    _start_over(scene)
    finally:
        if not options.keep:
            up.down(options.fleet)
    print(table(rows))
    return 1 if any(row.missed for row in rows) else 0


def _played(case: Case, scene: Scene) -> Row:
    began = time.monotonic()
    try:
        said, after, then = judging.play(case, scene)
        return Row(case, said, after, then, time.monotonic() - began)
    except (AssertionError, Missed) as missed:
        return Row(case, seconds=time.monotonic() - began, missed=str(missed))


def _start_over(scene: Scene) -> None:
    """After a case that went wrong: the next one needs a fleet with its change loaded everywhere."""
    scene.no_faults()
    scene.quiet()
    run = scene.play(force=True)
    if run.code:
        print("the fleet is not as it should be before the next case:\n" + run.output[-2000:], flush=True)


def _word(row: Row) -> str:
    return "MISSED" if row.missed else "as expected"


if __name__ == "__main__":
    sys.exit(main())
