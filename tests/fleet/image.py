# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node image: Debian's own packages, put together by mmdebstrap, so that no image registry is needed.

The same image serves nodes and registry. Its name carries a hash of everything it is made from.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Sequence

from tests.fleet.podman import podman
from tests.fleet.process import FleetError, say

FOLDER = Path(__file__).resolve().parent / "node_image"
SUITE = "bookworm"
"""Debian's release that fleets have if none is asked for: 12."""
SUITES = (SUITE, "trixie")
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "python3", "ca-certificates", "openssl", "procps",
    "iproute2", "iptables", "kmod", "containerd", "runc", "containernetworking-plugins", "docker-registry",
    "etcd-server", "python3-grpcio", "python3-yaml",
)  # fmt: skip
# Beside systemd only there: Debian 13's needs insserv, which systemd-sysv conflicts with.
_MORE = {SUITE: ("openrc",)}
NAME = "localhost/k3sfleet-node"


OPTIONS = (
    "--variant=essential",
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)


def _options(suite: str) -> tuple[str, ...]:
    return ("--include=" + ",".join((*PACKAGES, *_MORE.get(suite, ()))), *OPTIONS)


_CHANGES = ("--change", 'CMD ["/lib/systemd/systemd"]', "--change", "STOPSIGNAL SIGRTMIN+3")


def _command(suite: str) -> list[str]:
    return ["mmdebstrap", "--quiet", *_options(suite), "--customize-hook=%s" % (FOLDER / "customize"), suite, "-"]


def tag(suite: str = SUITE) -> str:
    """The image's full name, from the content of its inputs."""
    digest = hashlib.sha256(repr((suite, _options(suite))).encode())
    for path in sorted(FOLDER.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return "%s:%s" % (NAME, digest.hexdigest()[:16])


def ensure(suite: str = SUITE) -> str:
    """Build the image unless it is there; returns its name.

    :raises FleetError: when mmdebstrap fails, with what it said.
    """
    name = tag(suite)
    if not is_there(name):
        say("Building the node image from Debian %s packages (once, about 90 s) ..." % suite)
        build(name, _command(suite), _CHANGES)
        _remove_older()
        say("Node image ready: " + name)
    return name


def is_there(name: str) -> bool:
    return bool(podman("image", "exists", name, check=False).returncode == 0)


def build(name: str, command: Sequence[str], changes: Sequence[str] = ()) -> None:
    """Make an image of what mmdebstrap writes.

    :param command: mmdebstrap's, which writes an archive to its standard output.
    :raises FleetError: when it fails, with what it said.
    """
    mirror = os.environ.get("FLEET_DEBIAN_MIRROR", "")
    try:
        maker = subprocess.Popen(
            [*command, mirror] if mirror else command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except FileNotFoundError:
        raise FleetError("mmdebstrap is not installed; `make fleet-deps` installs it") from None
    assert maker.stdout is not None
    assert maker.stderr is not None
    importer = subprocess.Popen(
        ["podman", "import", "--quiet", *changes, "-", name + "-new"],
        stdin=maker.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    maker.stdout.close()
    said = maker.stderr.read().decode("utf-8", "replace")
    _unused, refused = importer.communicate()
    if maker.wait() or importer.returncode:
        podman("image", "rm", "--force", name + "-new", check=False)
        raise FleetError(
            "the image %s could not be built:\n%s" % (name, "\n".join((said + refused.decode()).splitlines()[-15:]))
        )
    podman("image", "tag", name + "-new", name)
    podman("image", "untag", name + "-new", name + "-new", check=False)


def _remove_older() -> None:
    """Images of earlier inputs go, unless a container still uses them."""
    current = [tag(suite) for suite in SUITES]
    for name in podman("images", "--format", "{{.Repository}}:{{.Tag}}", NAME, check=False).stdout.split():
        if name not in current:
            podman("image", "rm", name, check=False)


def remove() -> None:
    for name in podman("images", "--format", "{{.Repository}}:{{.Tag}}", NAME, check=False).stdout.split():
        podman("image", "rm", name, check=False)
