# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.mirror deps`` installs what the tests need; ``export FOLDER`` makes forty images for an air gap."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable
from tests.mirror.images import Filler, names
from tests.mirror.play import mirror
from tests.mirror.registries import LocalRegistry, Missing, check_programs, missing_packages


def deps() -> None:
    """Debian and Ubuntu, as root: installed, after saying so. Elsewhere: named."""
    packages = missing_packages()
    if packages and os.path.exists("/usr/bin/apt-get") and os.geteuid() == 0:
        print("Installing with apt-get: " + ", ".join(packages), flush=True)
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.run(["apt-get", "-q", "update"], env=environment, check=True)
        subprocess.run(["apt-get", "-q", "-y", "install", *packages], env=environment, check=True)
        # The package starts a registry of its own, which nobody has asked for.
        subprocess.run(["systemctl", "disable", "--now", "docker-registry"], check=False, capture_output=True)
    check_programs()


def export(folder: str) -> None:
    """The connected side of an air gap: a registry that fills an OCI layout and goes away, and the list beside it."""
    place = Path(folder).resolve()
    place.mkdir(parents=True, exist_ok=True)
    images = names(40)
    with tempfile.TemporaryDirectory() as temporary:
        registry = LocalRegistry(Path(temporary) / "registry")
        try:
            Filler(registry).fill(images)
            given = {"images": images, "source_registries": {"*": registry.url}, "export_to": str(place / "images.tar")}
            run = mirror(Path(temporary) / "run", given)
        finally:
            registry.stop()
    if not run.done:
        sys.exit(run.why)
    (place / "k3s-images.txt").write_text("".join(name + "\n" for name in images), encoding="utf-8")


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["deps"]:
            deps()
        elif len(sys.argv) == 3 and sys.argv[1] == "export":
            export(sys.argv[2])
        else:
            sys.exit("usage: python -m tests.mirror deps|export FOLDER")
    except Missing as problem:
        sys.exit(str(problem))
