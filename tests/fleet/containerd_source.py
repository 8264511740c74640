# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A containerd 2 for the stand-in, beside Debian's 1.6: its published Go module, built once for each version.

CONTAINERD_CACHE names a folder that outlives `make clean`; by default it is in this checkout's cache.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from pathlib import Path

from tests.fleet.podman import CHECKOUT
from tests.fleet.process import FleetError, run, say

RECENT = "v2.2.9"
"""What the tests take where the version does not matter."""
MODULE = "github.com/containerd/containerd/v2"
# Of the module's content, as in a go.sum: what is built is what was looked at once, whoever hands it out.
SUMS = {"v2.2.9": "h1:ddw9THGOXhcKnHORjkKoXtazPjwtcPwmqk8AVyRpfZw="}
_BUILD_SECONDS = 1500.0


def path(version: str) -> Path:
    """Where the program of this version is, or will be."""
    cache = os.environ.get("CONTAINERD_CACHE", "")
    return (Path(cache).resolve() if cache else CHECKOUT / ".cache" / "containerd") / version / "containerd"


def ensure(version: str) -> Path:
    """Build it unless it is there; whoever asks for the same at the same time waits.

    :raises FleetError: for a version that is not known, without Go, and where it cannot be built.
    """
    program = path(version)
    if version not in SUMS:
        raise FleetError("no containerd %r; there are %s" % (version, ", ".join(SUMS)))
    program.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(version, program)
    return program


def _build(version: str, program: Path) -> None:
    if not shutil.which("go"):
        raise FleetError(
            "containerd %s is built with Go, which is not installed. On Debian and Ubuntu: apt-get install golang-go. "
            "`make test WITHOUT_GO=1` leaves out what needs it" % version
        )
    place = "%s@%s" % (MODULE, version)
    say("Building containerd %s (once, about 2 minutes) ..." % version)
    found = json.loads(run(["go", "mod", "download", "-json", place], timeout=_BUILD_SECONDS).stdout)
    if found["Sum"] != SUMS[version]:
        raise FleetError("%s has the checksum %s, expected is %s" % (place, found["Sum"], SUMS[version]))
    partial = program.parent / "partial"
    settings = ["GOBIN=%s" % partial, "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false"]
    command = ["env", *settings, "go", "install", "%s/cmd/containerd@%s" % (MODULE, version)]
    run(command, timeout=_BUILD_SECONDS)
    said = run([str(partial / "containerd"), "--version"]).stdout
    if not re.search(r"\b%s\b" % re.escape(version.lstrip("v")), said):
        raise FleetError("what was built says that it is %s" % said.strip())
    os.replace(partial / "containerd", program)
    partial.rmdir()
