# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes' images and faults, pulled by a real containerd: ``python -m tests.recipes [--containerd2] [--write]``.

Prints a table, and exits with 1 if a good recipe cannot be pulled, or if a fault is called by another name than its
page says.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.conformance.__main__ import CACHE
from tests.conformance.containerd import Containerd, ContainerdError, find
from tests.fleet import containerd_source
from tests.fleet.process import FleetError
from tests.recipes import page
from tests.recipes.playing import CASES, Case, hosts
from tests.recipes.pulling import credentials, diagnose, pull
from tests.recipes.stage import Stage


def problem_of(case: Case, error: str, lines: list[str]) -> str:
    """What is not as the page says, "" if all is."""
    if case.fault is None:
        return f"not pulled: {error}" if error else ""
    if not error:
        return "pulled"
    verdicts = diagnose(lines, case.config)
    if len(verdicts) != 1:
        return f"{len(verdicts)} verdicts"
    found = (verdicts[0]["cause"], verdicts[0]["endpoint"])
    wanted = (case.fault.cause, case.fault.endpoint)
    return "" if found == wanted else f"{found} instead of {wanted}: {verdicts[0]['message']}"


def run(program: Path, write: bool) -> int:
    """Pull everything with one containerd; returns how many cases are not as they should be."""
    logged: dict[str, list[str]] = {}
    wrong = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recipes-")))
        stage = stack.enter_context(Stage(folder, hosts()))
        (folder / "containerd").mkdir()
        more = credentials(case.config for case in CASES if case.fault is None)
        containerd = stack.enter_context(Containerd(program, folder / "containerd", stage.environment, more))
        print(containerd.version)
        for case in CASES:
            stage.play(case.apps)
            error, lines = pull(containerd, stage.placed(case.config), case.image)
            lines = [stage.as_written(line) for line in lines]
            problem = problem_of(case, error, lines)
            print(f"{case.name:<34} {case.fault.cause if case.fault else 'ok':<18} {problem and 'WRONG: ' + problem}")
            wrong += bool(problem)
            if case.fault:
                logged[case.name] = lines
    if write and not wrong:
        page.SEEN.write_text(json.dumps(logged, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(CASES) - wrong} of {len(CASES)} as their pages say")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.recipes", description=str(__doc__).splitlines()[0])
    parser.add_argument("--containerd2", action="store_true", help="with a containerd 2, which is built for it")
    parser.add_argument("--write", action="store_true", help="keep what containerd logged for the pages and unit tests")
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        recent = containerd_source.RECENT
        program = containerd_source.ensure(recent) if arguments.containerd2 else find(CACHE)
        wrong = run(program, arguments.write)
    except (ContainerdError, FleetError) as error:
        print(f"recipes: {error}", file=sys.stderr)
        wrong = 1
    print(f"{time.monotonic() - started:.0f} s")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
