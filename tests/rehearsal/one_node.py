# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's rehearsal as a program: two configurations and the images on stdin, what it says on stdout."""

from __future__ import annotations

import json
import os
import sys
import time

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable

# isort: split
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import PlannedHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.in_use import InUse, Used
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.question import Side
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.rehearsal import rehearse
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image


def main() -> None:
    told = json.load(sys.stdin)
    before, after = (Side(PlannedHosts(normalise(told[side]), False)) for side in ("before", "after"))
    used = InUse([Used(parse_image(name), users=("pod test/app",)) for name in told["images"]], [])
    began = time.monotonic()
    found = rehearse(used, before, after, dict(os.environ), seconds=told["seconds"])
    print(json.dumps({"rehearsal": found.as_dict(), "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
