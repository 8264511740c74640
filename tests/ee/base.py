# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A base image for execution environments from Debian's packages, so that no image registry is needed."""

from __future__ import annotations

import hashlib
import os
import subprocess

from tests.fleet.podman import podman
from tests.fleet.process import FleetError, say

SUITE = "bookworm"
NAME = "localhost/k3sfleet-ee-base"
PYTHON = "/opt/python/bin/python3"
_PATH = "PATH=/opt/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What bindep.txt asks for is there already: ansible-builder installs it without asking apt for its lists first.
PACKAGES = (
    "apt", "python3", "python3-pip", "python3-venv", "ca-certificates", "openssh-client", "git", "skopeo", "zstd",
)  # fmt: skip
OPTIONS = (
    "--variant=essential",
    "--include=" + ",".join(PACKAGES),
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    # ansible-builder calls ensurepip, which Debian has taken from its own Python but not from virtual environments.
    '--customize-hook=chroot "$1" python3 -m venv /opt/python',
)


def ensure() -> str:
    """Build the base image unless it is there; returns its name.

    :raises FleetError: when mmdebstrap or podman fails, with what it said.
    """
    name = "%s:%s" % (NAME, hashlib.sha256(repr((SUITE, OPTIONS)).encode()).hexdigest()[:16])
    if podman("image", "exists", name, check=False).returncode == 0:
        return name
    say("Building the base image from Debian %s packages (once, about 60 s) ..." % SUITE)
    mirror = os.environ.get("FLEET_DEBIAN_MIRROR", "")
    command = ["mmdebstrap", "--quiet", *OPTIONS, SUITE, "-", *([mirror] if mirror else [])]
    try:
        made = subprocess.run(command, check=False, capture_output=True)
    except FileNotFoundError:
        raise FleetError("mmdebstrap is not installed; `make fleet-deps` installs it") from None
    if made.returncode:
        raise FleetError("the base image could not be built:\n" + made.stderr.decode("utf-8", "replace")[-2000:])
    podman("import", "--quiet", "--change", "ENV " + _PATH, "-", name, stdin=made.stdout)
    return name
