# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The large proofs of the rehearsal: ``python -m tests.rehearsal [--only pulls] [--cases 200] [--seed 0]``.

``pulls``: what it says of generated configurations is what a real containerd's pulls do. ``speed``: many images in a
short time, and no registry asked too much. ``crowd``: a hundred nodes at once. ``kills``: killed at any moment, it
leaves no secret on the node. The exit status is 1 where something is not so.
"""

from __future__ import annotations

import argparse
import sys

from tests.conformance.containerd import ContainerdError
from tests.fleet.process import FleetError
from tests.rehearsal import crowd, kills, pulls, speed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.rehearsal", description=str(__doc__).splitlines()[0])
    proofs = {
        "pulls": lambda: pulls.run(arguments.cases, arguments.seed),
        "speed": speed.run,
        "crowd": crowd.run,
        "kills": lambda: kills.run(seed=arguments.seed),
    }
    parser.add_argument("--only", action="append", choices=list(proofs), help="one of the proofs; may be given again")
    parser.add_argument("--cases", type=int, default=200, help="how many configurations are pulled under")
    parser.add_argument("--seed", type=int, default=0, help="of the first of them; the others follow it")
    arguments = parser.parse_args()
    problems = []
    try:
        for name in arguments.only or proofs:
            print(f"== {name}", flush=True)
            problems += [f"{name}: {problem}" for problem in proofs[name]()]
    except (ContainerdError, FleetError) as error:
        print(f"rehearsal: {error}", file=sys.stderr)
        return 2
    print("\n".join(f"WRONG: {problem}" for problem in problems) or "the rehearsal keeps what it promises")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
