# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A containerd 2, as current K3s has it, beside Debian's 1.6: its published Go module, built once for each version.

CONTAINERD_CACHE names a folder that outlives `make clean`; by default it is in this checkout's cache. Tests that need
it have the marker ``golang``. ``python -m tests.fleet.containerd_source`` builds it ahead of time.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.fleet import go_program
from tests.fleet.process import FleetError, run
from tests.tools.golang import Program

RECENT = "v2.2.9"
"""What the tests take where the version does not matter."""
MODULE = "github.com/containerd/containerd/v2"
# Of the module's content, as in a go.sum: what is built is what was looked at once, whoever hands it out.
SUMS = {"v2.2.9": "h1:ddw9THGOXhcKnHORjkKoXtazPjwtcPwmqk8AVyRpfZw="}


def path(version: str) -> Path:
    """Where the program of this version is, or will be."""
    return _program(version).path


def ensure(version: str) -> Path:
    """Build it unless it is there; whoever asks for the same at the same time waits.

    :raises FleetError: for a version that is not known, without Go, and where it cannot be built.
    """
    if version not in SUMS:
        raise FleetError("no containerd %r; there are %s" % (version, ", ".join(SUMS)))
    program = _program(version)
    if not go_program.ensure(program, "containerd"):
        return program.path
    said = run([str(program.path), "--version"]).stdout
    if not re.search(r"\b%s\b" % re.escape(version.lstrip("v")), said):
        program.path.unlink()
        raise FleetError("what was built says that it is %s" % said.strip())
    return program.path


def _program(version: str) -> Program:
    folder = go_program.cache("CONTAINERD_CACHE", "containerd")
    return Program("containerd", MODULE, "cmd/containerd", version, SUMS.get(version, ""), folder)


if __name__ == "__main__":
    sys.exit(go_program.ahead_of_time(lambda: ensure(RECENT)))
