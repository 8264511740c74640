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

from tests.fleet.podman import podman
from tests.fleet.process import FleetError, say

FOLDER = Path(__file__).resolve().parent / "node_image"
SUITE = "bookworm"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "python3", "ca-certificates", "openssl", "procps",
    "iproute2", "iptables", "kmod", "containerd", "runc", "containernetworking-plugins", "docker-registry",
    "etcd-server", "python3-grpcio", "python3-yaml", "openrc",
)  # fmt: skip
NAME = "localhost/k3sfleet-node"


OPTIONS = (
    "--variant=essential",
    "--include=" + ",".join(PACKAGES),
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)


_CHANGES = ("--change", 'CMD ["/lib/systemd/systemd"]', "--change", "STOPSIGNAL SIGRTMIN+3")


def _command() -> list[str]:
    command = ["mmdebstrap", "--quiet", *OPTIONS, "--customize-hook=%s" % (FOLDER / "customize"), SUITE, "-"]
    mirror = os.environ.get("FLEET_DEBIAN_MIRROR", "")
    return [*command, mirror] if mirror else command


def tag() -> str:
    """The image's full name, from the content of its inputs."""
    digest = hashlib.sha256(repr((SUITE, OPTIONS)).encode())
    for path in sorted(FOLDER.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return "%s:%s" % (NAME, digest.hexdigest()[:16])


def ensure() -> str:
    """Build the image unless it is there; returns its name.

    :raises FleetError: when mmdebstrap fails, with what it said.
    """
    name = tag()
    if podman("image", "exists", name, check=False).returncode == 0:
        return name
    say("Building the node image from Debian %s packages (once, about 90 s) ..." % SUITE)
    try:
        maker = subprocess.Popen(_command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError:
        raise FleetError("mmdebstrap is not installed; `make fleet-deps` installs it") from None
    assert maker.stdout is not None
    assert maker.stderr is not None
    importer = subprocess.Popen(
        ["podman", "import", "--quiet", *_CHANGES, "-", name + "-new"],
        stdin=maker.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    maker.stdout.close()
    said = maker.stderr.read().decode("utf-8", "replace")
    _unused, refused = importer.communicate()
    if maker.wait() or importer.returncode:
        podman("image", "rm", "--force", name + "-new", check=False)
        raise FleetError(
            "the node image could not be built:\n" + "\n".join((said + refused.decode()).splitlines()[-15:])
        )
    podman("image", "tag", name + "-new", name)
    podman("image", "untag", name + "-new", name + "-new", check=False)
    _remove_older(name)
    say("Node image ready: " + name)
    return name


def _remove_older(current: str) -> None:
    """Images of earlier inputs go, unless a container still uses them."""
    for name in podman("images", "--format", "{{.Repository}}:{{.Tag}}", NAME, check=False).stdout.split():
        if name != current:
            podman("image", "rm", name, check=False)


def remove() -> None:
    for name in podman("images", "--format", "{{.Repository}}:{{.Tag}}", NAME, check=False).stdout.split():
        podman("image", "rm", name, check=False)
