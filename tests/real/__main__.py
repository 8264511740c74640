# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.real``: every test of the fleet that does not need the stand-in, on a real K3s.

The K3s is the one in K3S_BINARY, or the official release that is named. The fleets have names of their own, so that
this can run next to the tests on the stand-in.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple, Sequence

from tests.fleet import official_k3s
from tests.fleet.process import FleetError, say

CHECKOUT = Path(__file__).resolve().parents[2]
FLEET = os.environ.get("INTEGRATION_FLEET", "real")
MISSING = (
    "make real needs a K3s: set K3S_BINARY to the program, or to a folder with usr/local/bin/k3s. If this machine "
    "reaches GitHub, you can name an official release instead: make real K3S_RELEASE=v1.34.3+k3s1"
)


class Part(NamedTuple):
    """Some of the tests, as Python's arguments."""

    name: str
    what: str
    arguments: tuple[str, ...]


PARTS = (
    Part(
        "integration",
        "a server and two agents: pulls, order, leaks, drift, bad input",
        ("-m", "pytest", *sorted(str(path) for path in (CHECKOUT / "tests" / "integration").glob("test_*.py"))),
    ),
    Part(
        "logins",
        "registries that ask for logins: live changes, the credential store, pods",
        ("-m", "pytest", str(CHECKOUT / "tests" / "integration" / "logins")),
    ),
    Part(
        "quorum",
        "three servers and an agent: a server's plug pulled",
        ("-m", "tests.faults", "--k3s", "auto", "--fleet", FLEET + "faults"),
    ),
    Part(
        "pods",
        "one server, three servers: pods and the API while all nodes restart",
        ("-m", "tests.real.pods"),
    ),
    Part(
        "preload",
        "a server and an agent that have never reached a registry: pods from images that were brought",
        ("-m", "tests.real.preload"),
    ),
)


def run(parts: Sequence[Part], binary: str, call: Callable[[list[str], dict[str, str]], int]) -> list[str]:
    """The names of the parts that failed. All of them run, whatever fails."""
    environment = {**os.environ, "K3S_BINARY": binary, "INTEGRATION_FLEET": FLEET}
    failed = []
    for part in parts:
        say("%s, on %s: %s" % (part.name, binary, part.what))
        began = time.monotonic()
        code = call([sys.executable, *part.arguments], environment)
        say("%s: %s after %.0f s" % (part.name, "FAILED" if code else "passed", time.monotonic() - began))
        if code:
            failed.append(part.name)
    return failed


def binary(release: str) -> str:
    """Which K3s: the named release, downloaded, or what K3S_BINARY says.

    :raises FleetError: without either, and if the release cannot be downloaded.
    """
    if not release:
        given = os.environ.get("K3S_BINARY", "")
        if not given:
            raise FleetError(MISSING)
        return given
    try:
        return str(official_k3s.fetch(official_k3s.resolve(release)))
    except OSError as error:
        raise FleetError("K3s %s cannot be downloaded: %s" % (release, error)) from error


def _call(command: list[str], environment: dict[str, str]) -> int:
    return subprocess.run(command, cwd=CHECKOUT, env=environment, check=False).returncode


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.real", description=__doc__)
    parser.add_argument("--release", default="", help="an official release such as v1.34.3+k3s1, or latest")
    parser.add_argument("--only", action="append", choices=[part.name for part in PARTS], help="may be given again")
    options = parser.parse_args(arguments)
    wanted = [part for part in PARTS if not options.only or part.name in options.only]
    try:
        failed = run(wanted, binary(options.release), _call)
    except FleetError as error:
        sys.stderr.write("%s\n" % error)
        return 2
    if failed:
        sys.stderr.write("FAILED on the real K3s: %s\n" % ", ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
