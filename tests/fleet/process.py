# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs, and telling the user what happens."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any, Sequence

_STARTED = time.monotonic()


class FleetError(Exception):
    """Something the user can act on; printed without a traceback."""


def say(message: str) -> None:
    """One line of progress on stderr: stdout belongs to results."""
    sys.stderr.write("[%6.1f s] %s\n" % (time.monotonic() - _STARTED, message))
    sys.stderr.flush()


def run(command: Sequence[str], stdin: bytes | None = None, check: bool = True, timeout: float = 300.0) -> Any:
    """Run a program to its end; its output is captured as text.

    :raises FleetError: when it fails and ``check`` is set, with the last lines of what it said.
    """
    try:
        outcome = subprocess.run(list(command), input=stdin, capture_output=True, check=False, timeout=timeout)
    except FileNotFoundError:
        raise FleetError("%s is not installed; `make fleet-deps` installs it" % command[0]) from None
    except subprocess.TimeoutExpired:
        raise FleetError("%s did not end within %d s" % (" ".join(command[:4]), timeout)) from None
    out, err = (stream.decode("utf-8", "replace") for stream in (outcome.stdout, outcome.stderr))
    if check and outcome.returncode:
        said = (err.strip() or out.strip()).splitlines()[-12:]
        raise FleetError("%s ended with %d:\n  %s" % (" ".join(command[:6]), outcome.returncode, "\n  ".join(said)))
    return subprocess.CompletedProcess(command, outcome.returncode, out, err)
