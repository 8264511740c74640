# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real programs that Debian has too old or not at all: their published Go modules, each built once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Callable

from tests.fleet.process import FleetError, say
from tests.tools.golang import CACHE, GoError, Program


def cache(variable: str, name: str) -> Path:
    """The folder for a program: what the environment's variable names, or this checkout's own."""
    named = os.environ.get(variable, "")
    return Path(named).resolve() if named else CACHE / name


def ensure(program: Program, title: str) -> bool:
    """Build it unless it is there; whoever asks for the same at the same time waits.

    :param title: what it is called in the line that says so.
    :returns: whether it has been built now.
    :raises FleetError: without Go, and where it cannot be built.
    """
    if program.path.exists():
        return False
    say("Building %s %s (once, about 2 minutes) ..." % (title, program.version))
    try:
        program.ensure()
    except GoError as error:
        raise FleetError(str(error)) from error
    return True


def ahead_of_time(build: Callable[[], object]) -> int:
    """Build before a test asks for it, unless there is to be nothing of Go; an exit status."""
    if os.environ.get("WITHOUT_GO"):
        return 0
    try:
        build()
    except FleetError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
