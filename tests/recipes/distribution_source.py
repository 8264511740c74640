# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CNCF distribution 3, beside Debian's 2.8: its published Go module, built once.

DISTRIBUTION_CACHE names a folder that outlives `make clean`; by default it is in this checkout's cache. Tests that need
it have the marker ``golang``. ``python -m tests.recipes.distribution_source`` builds it ahead of time.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fleet import go_program
from tests.tools.golang import Program

VERSION = "v3.0.0"
MODULE = "github.com/distribution/distribution/v3"
# Of the module's content, as in a go.sum: what is built is what was looked at once, whoever hands it out.
SUM = "h1:q4R8wemdRQDClzoNNStftB2ZAfqOiN6UX90KJc4HjyM="


def ensure() -> Path:
    """Build it unless it is there; whoever asks for the same at the same time waits.

    :raises FleetError: without Go, and where it cannot be built.
    """
    folder = go_program.cache("DISTRIBUTION_CACHE", "distribution")
    program = Program("registry", MODULE, "cmd/registry", VERSION, SUM, folder)
    go_program.ensure(program, "CNCF distribution")
    return program.path


if __name__ == "__main__":
    sys.exit(go_program.ahead_of_time(ensure))
