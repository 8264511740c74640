# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""promtool and node_exporter: those of this machine, or else out of Debian's packages.

The packages are unpacked and not installed: installing them starts a Prometheus and a node_exporter, for which nobody
has asked. That takes no root either. Both programs need nothing but the C library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "monitoring"
#: Program, the Debian package it comes in.
PACKAGES = {"promtool": "prometheus", "prometheus-node-exporter": "prometheus-node-exporter"}


class Missing(RuntimeError):
    """A program that these tests need is not there; the text says what to do."""


def path_of(program: str) -> str:
    """:raises Missing: if it has not been brought."""
    found = shutil.which(program) or shutil.which(program, path=str(CACHE / "usr" / "bin"))
    if not found:
        raise Missing(
            "missing: %s. `make monitoring` brings it on Debian and Ubuntu, from the package %s; elsewhere install it "
            "by your system's means" % (program, PACKAGES[program])
        )
    return found


def ensure() -> None:
    """Bring what is missing into :data:`CACHE`, after saying so.

    :raises Missing: if that is impossible here.
    """
    wanted = []
    for program, package in PACKAGES.items():
        try:
            path_of(program)
        except Missing:
            wanted.append(package)
    if wanted and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        print("Unpacking Debian's packages into .cache/monitoring: " + ", ".join(wanted), flush=True)
        with tempfile.TemporaryDirectory() as folder:
            _download(wanted, folder)
            CACHE.mkdir(parents=True, exist_ok=True)
            for archive in sorted(Path(folder).glob("*.deb")):
                _run(["dpkg-deb", "-x", str(archive), str(CACHE)], folder)
    for program in PACKAGES:
        path_of(program)


def _download(packages: list[str], folder: str) -> None:
    """apt-get's lists of packages may be missing or old."""
    # Without this, root's apt-get would download as a user who may not write to the folder, and warn about it.
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages]
    try:
        _run(command, folder)
    except Missing:
        if os.geteuid() != 0:
            raise
        _run(["apt-get", "-q", "update"], folder)
        _run(command, folder)


def _run(command: list[str], folder: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing("%s has failed: %s" % (" ".join(command), (done.stderr or done.stdout).strip()[-500:]))
