# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fleet needs on this machine. Debian and Ubuntu, as root: installed, after saying so. Elsewhere: named."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from tests.fleet.process import FleetError, run, say

# Program, the Debian package it comes in. netavark and aardvark-dns make podman's networks.
_PROGRAMS = {
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "ssh": "openssh-client",
    "iptables": "iptables",
    # A node's shell and tools in a unit test.
    "busybox": "busybox",
}
_OTHERS = {
    "/usr/lib/podman/netavark": "netavark",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}


def _search_path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def missing() -> list[str]:
    """Debian packages that are not there yet."""
    packages = {package for program, package in _PROGRAMS.items() if not shutil.which(program, path=_search_path())}
    packages |= {package for path, package in _OTHERS.items() if not Path(path).exists()}
    return sorted(packages)


def ensure() -> None:
    """:raises FleetError: saying what is missing, where it cannot be installed."""
    if platform.system() != "Linux":
        raise FleetError("the test fleet needs Linux: its nodes are containers that boot systemd")
    packages = missing()
    if packages and not can_install():
        raise FleetError(
            "missing: %s. `make fleet-deps` installs them as root on Debian 12, Ubuntu 24.04 and later; elsewhere "
            "install them by your system's means" % ", ".join(packages)
        )
    if packages:
        say("Installing with apt-get: " + ", ".join(packages))
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        os.environ.update(environment)
        run(["apt-get", "-q", "update"], timeout=600)
        run(["apt-get", "-q", "-y", "install", "--no-install-recommends", *packages], timeout=1200)
        left = missing()
        if left:
            raise FleetError("still missing after apt-get install: " + ", ".join(left))
    if os.geteuid():
        raise FleetError("the test fleet needs root: its nodes are privileged containers that boot systemd")


def can_install() -> bool:
    """Whether this is a Debian or Ubuntu on which apt-get may be used."""
    try:
        release = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return False
    family = [line for line in release.splitlines() if line.startswith(("ID=", "ID_LIKE="))]
    return (
        os.geteuid() == 0
        and bool(shutil.which("apt-get"))
        and any("debian" in line or "ubuntu" in line for line in family)
    )
