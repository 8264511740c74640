# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.demo FLEET`: run the playbook on a fleet, then show what happened, from the nodes and the registry.

The table's source is never what the playbook said: restarts come from the nodes' journals, registries from the files
on the nodes, pulls from the registry's own log. Exit code 1 when a node has not pulled through the registry.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.demo import summary
from tests.fleet import access_log, events, state
from tests.fleet.podman import CHECKOUT
from tests.fleet.process import FleetError, say


def playbook(fleet: state.Fleet) -> int:
    """Run playbooks/site.yml as a user would."""
    command = [
        "ansible-playbook",
        "--inventory", str(fleet.folder / "inventory.yml"),
        "--extra-vars", "@%s" % (fleet.folder / "registries.yml"),
        "playbooks/site.yml",
    ]  # fmt: skip
    environment = dict(os.environ)
    environment["PATH"] = "%s:%s" % (os.path.dirname(sys.executable), environment.get("PATH", ""))
    environment.setdefault("ANSIBLE_COLLECTIONS_PATH", str(CHECKOUT / ".ansible" / "collections"))
    say("$ " + " ".join(os.path.relpath(word) if os.path.isabs(word) else word for word in command))
    return subprocess.run(command, cwd=CHECKOUT, env=environment, check=False).returncode


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m tests.demo FLEET\n")
        return 2
    try:
        fleet = state.load(arguments[0])
        started = time.time()
        code = playbook(fleet)
        seconds = time.time() - started
        rows = summary.rows(fleet, events.report(fleet, started), access_log.entries(fleet), started)
    except FleetError as error:
        sys.stderr.write("demo: %s\n" % error)
        return 1
    print()
    print(summary.table(rows))
    print()
    print(summary.sentence(fleet, rows, seconds))
    return 1 if code or not all(row.pulled for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
