# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of the node, each with its own deadline."""

from __future__ import annotations

import os
import subprocess
from typing import Mapping, NamedTuple, Sequence


class Outcome(NamedTuple):
    """How a command ended. ``status`` is None when it was not found or did not end in time."""

    status: int | None
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.status == 0


def run(
    command: Sequence[str],
    timeout: float,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> Outcome:
    """Run ``command`` without a shell and wait ``timeout`` seconds at the most.

    Secrets never go into ``command`` (other users see it in the process list); ``stdin`` is for those.
    """
    merged = dict(os.environ, LC_ALL="C", **(environment or {}))
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=merged,
            close_fds=True,
        )
    except OSError as error:
        return Outcome(None, "", "%s: %s" % (command[0], error.strerror))
    try:
        out, err = process.communicate(None if stdin is None else stdin.encode("utf-8"), timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return Outcome(None, "", "%s did not answer within %g s" % (os.path.basename(command[0]), timeout))
    return Outcome(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
