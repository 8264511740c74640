# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of its own beside the fleet, with nothing on it but Debian, Python and SSH: the newcomer's controller."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

from tests.fleet import image, podman, process
from tests.fleet.archive import Archive, up_to_its_end
from tests.fleet.process import FleetError, say
from tests.fleet.state import Fleet

_USER = "newcomer"
_HOME = "/srv/newcomer"
_VENV = _HOME + "/venv"
_INDEX = "/srv/wheels"
_DEBIAN = (
    "mmdebstrap", "--quiet", "--variant=apt", "--include=python3-venv,openssh-client,ca-certificates",
    '--aptopt=Acquire::Languages "none"',
    '--customize-hook=chroot "$1" useradd --create-home --home-dir %s %s' % (_HOME, _USER), image.SUITE, "-",
)  # fmt: skip
# Where a container cannot reach PyPI, this machine can: the newcomer's pip finds there what the guides have it install.
_PACKAGES = ("ansible-core", "PyYAML", "cryptography", "google-re2")
_WHEELS = podman.CHECKOUT / ".cache" / "newcomer" / "wheels"


def _image() -> str:
    name = "localhost/k3sfleet-newcomer:" + hashlib.sha256(repr(_DEBIAN).encode()).hexdigest()[:16]
    if not image.is_there(name):
        say("Building the newcomer's machine from Debian %s packages (once, about 30 s) ..." % image.SUITE)
        image.build(name, _DEBIAN)
    return name


def _wheels(python: str) -> None:
    """Have the packages for this version of Python, as they are on PyPI."""
    process.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--python-version", python,
         "--dest", str(_WHEELS), *_PACKAGES], timeout=600.0,
    )  # fmt: skip


class Controller:
    """It is removed with the fleet. Paths begin in the newcomer's home, where commands run, too."""

    def __init__(self, fleet: Fleet) -> None:
        self._name = fleet.container("controller")
        _WHEELS.mkdir(parents=True, exist_ok=True)
        podman.podman(
            "run", "--detach", "--name", self._name, "--hostname", "controller", *podman.labels(fleet.name),
            "--network", fleet.name, "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000",
            "--volume", "%s:%s:ro" % (_WHEELS, _INDEX), "--env", "PIP_NO_INDEX=1", "--env", "PIP_FIND_LINKS=" + _INDEX,
            _image(), "sleep", "infinity",
        )  # fmt: skip
        self.run("python3 -m venv " + _VENV)
        _wheels(self.run("python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'").strip())

    def file(self, path: str, content: str | bytes) -> None:
        """Write a file that only the newcomer may read."""
        archive = Archive()
        archive.file("%s/%s" % (_HOME.lstrip("/"), path), content, 0o600)
        self._bring(archive.content())

    def checkout(self, path: str) -> None:
        """Bring what git knows of this checkout."""
        prefix = "--prefix=%s/%s/" % (_HOME.lstrip("/"), path)
        git = ["git", "-C", str(podman.CHECKOUT), "archive", prefix, "HEAD"]
        self._bring(up_to_its_end(subprocess.run(git, check=True, capture_output=True).stdout))

    def _bring(self, packed: bytes) -> None:
        podman.podman("cp", "--archive=false", "-", self._name + ":/", stdin=packed)
        podman.podman("exec", self._name, "chown", "-R", "%s:" % _USER, _HOME)

    def run(self, command: str) -> str:
        """What a command of the newcomer's says.

        :raises FleetError: if it fails, with that.
        """
        done: Any = podman.podman(
            "exec", "--user", _USER, "--workdir", _HOME, "--env", "PATH=%s/bin:/usr/bin:/bin" % _VENV,
            "--env", "ANSIBLE_VAULT_PASSWORD_FILE=vault-password", "--env", "ANSIBLE_NOCOLOR=1", self._name,
            "sh", "-c", "{ %s; } 2>&1" % command, check=False, timeout=900.0,
        )  # fmt: skip
        if done.returncode:
            raise FleetError("%s\nended with %d:\n%s" % (command, done.returncode, str(done.stdout)[-4000:]))
        return str(done.stdout)
