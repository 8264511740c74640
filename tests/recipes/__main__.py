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
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.conformance.__main__ import CACHE
from tests.conformance.containerd import Containerd, ContainerdError, find
from tests.fleet import containerd_source
from tests.fleet.process import FleetError
from tests.recipes import blocks, distribution, distribution_source, page
from tests.recipes.catalogue import DISTRIBUTION
from tests.recipes.playing import CASES, hosts
from tests.recipes.pulling import credentials, diagnose, pull
from tests.recipes.stage import Stage


class Pulls:
    """Pulls by one containerd, each held against what should come of it."""

    def __init__(self, stage: Stage, containerd: Containerd) -> None:
        self._stage = stage
        self._containerd = containerd
        self.logged: dict[str, list[str]] = {}
        self.tried = self.wrong = 0

    def try_case(self, name: str, config: dict[str, Any], image: str, cause: str, endpoint: str) -> None:
        """:param cause: ``ok``, or what the diagnosis has to say. :param endpoint: whom it has to blame."""
        error, lines = pull(self._containerd, self._stage.placed(config), image)
        lines = [self._stage.as_written(line) for line in lines]
        problem = _problem(config, error, lines, cause, endpoint)
        print(f"{name:<34} {cause:<18} {problem and 'WRONG: ' + problem}".rstrip())
        self.tried += 1
        self.wrong += bool(problem)
        if cause != "ok":
            self.logged.setdefault(name, lines)


def _problem(config: dict[str, Any], error: str, lines: list[str], cause: str, endpoint: str) -> str:
    """What is not as the page says, "" if all is."""
    if cause == "ok":
        return f"not pulled: {error}" if error else ""
    if not error:
        return "pulled"
    verdicts = diagnose(lines, config)
    if len(verdicts) != 1:
        return f"{len(verdicts)} verdicts"
    found = (verdicts[0]["cause"], verdicts[0]["endpoint"])
    return "" if found == (cause, endpoint) else f"{found} instead of {(cause, endpoint)}: {verdicts[0]['message']}"


def _try_distribution(pulls: Pulls, stage: Stage, folder: Path) -> None:
    """CNCF distribution itself, which is here: Debian's, and version 3 where there is Go."""
    config = blocks.without_files(page.config_of(DISTRIBUTION))
    programs = [distribution.DEBIAN]
    if not os.environ.get("WITHOUT_GO"):
        programs.append(str(distribution_source.ensure()))
    for number, program in enumerate(programs):
        for state in distribution.STATES:
            with distribution.cache(program, state, folder / f"{state}-{number}") as registry:
                stage.play({distribution.HOST: distribution.relay(registry.port)})
                cause = distribution.cause_of(program, state)
                image = distribution.image_of(program, state)
                pulls.try_case(f"distribution/{state}", config, image, cause, distribution.ENDPOINT)


def run(program: Path, write: bool) -> int:
    """Pull everything with one containerd; returns how many cases are not as they should be."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recipes-")))
        stage = stack.enter_context(Stage(folder, hosts()))
        (folder / "containerd").mkdir()
        more = credentials(case.config for case in CASES if case.fault is None)
        containerd = stack.enter_context(Containerd(program, folder / "containerd", stage.environment, more))
        print(containerd.version)
        pulls = Pulls(stage, containerd)
        for case in CASES:
            stage.play(case.apps)
            cause, endpoint = (case.fault.cause, case.fault.endpoint) if case.fault else ("ok", "")
            pulls.try_case(case.name, case.config, case.image, cause, endpoint)
        _try_distribution(pulls, stage, folder)
    if write and not pulls.wrong:
        page.SEEN.write_text(json.dumps(pulls.logged, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{pulls.tried - pulls.wrong} of {pulls.tried} as their pages say")
    return pulls.wrong


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
