# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of its own beside the fleet, with nothing on it but Debian, Python and SSH: the newcomer's controller."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Mapping

from tests.fleet import image, podman
from tests.fleet.archive import Archive
from tests.fleet.process import FleetError
from tests.fleet.state import Fleet

HOME = "/root/work"
_VENV = "/root/venv"
# The way to PyPI and Debian, where this machine has one of its own.
_SETTINGS = (
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY",
    "NO_PROXY",
)  # fmt: skip
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


_IMAGE = "localhost/k3sfleet-newcomer:1"
_DEBIAN = (
    "mmdebstrap", "--quiet", "--variant=apt", "--include=python3-venv,openssh-client,ca-certificates",
    '--aptopt=Acquire::Languages "none"', image.SUITE, "-",
)  # fmt: skip


def _image() -> str:
    if not image.is_there(_IMAGE):
        image.build(_IMAGE, _DEBIAN)
    return _IMAGE


class Controller:
    """It is removed with the fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._name = fleet.container("controller")
        settings = {name: os.environ[name] for name in _SETTINGS if os.environ.get(name)}
        options = [word for name in settings for word in ("--env", name)]
        if _AUTHORITIES.exists():
            options += ["--volume", "%s:/etc/ssl/certs/of-this-machine.crt:ro" % _AUTHORITIES]
            options += ["--env", "PIP_CERT=/etc/ssl/certs/of-this-machine.crt"]
        podman.podman(
            "run", "--detach", "--name", self._name, "--hostname", "controller", *podman.labels(fleet.name),
            "--network", fleet.name, "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000", *options,
            _image(), "sleep", "infinity",
        )  # fmt: skip
        self.run("python3 -m venv %s && mkdir -p %s" % (_VENV, HOME), "/")

    def file(self, path: str, content: str | bytes, mode: int = 0o600) -> None:
        """Write a file below :data:`HOME`."""
        archive = Archive()
        archive.file("%s/%s" % (HOME.lstrip("/"), path), content, mode)
        podman.podman("cp", "--archive=false", "-", self._name + ":/", stdin=archive.content())

    def checkout(self, path: str) -> None:
        """Bring what git knows of this checkout below :data:`HOME`."""
        packed = subprocess.run(
            ["git", "-C", str(podman.CHECKOUT), "archive", "--prefix=%s/%s/" % (HOME.lstrip("/"), path), "HEAD"],
            check=True, capture_output=True,
        ).stdout  # fmt: skip
        podman.podman("cp", "--archive=false", "-", self._name + ":/", stdin=packed)

    def run(self, command: str, folder: str = HOME, environment: Mapping[str, str] | None = None) -> str:
        """What a command says.

        :raises FleetError: if it fails, with that.
        """
        code, said = self.outcome(command, folder, environment)
        if code:
            raise FleetError("%s\nended with %d on the newcomer's machine:\n%s" % (command, code, said[-4000:]))
        return said

    def outcome(
        self, command: str, folder: str = HOME, environment: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        more = {"PATH": _VENV + "/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}
        more.update(environment or {})
        options = [word for name, value in more.items() for word in ("--env", "%s=%s" % (name, value))]
        done: Any = podman.podman(
            "exec",
            "--workdir",
            folder,
            *options,
            self._name,
            "sh",
            "-c",
            "{ %s; } 2>&1" % command,
            check=False,
            timeout=900.0,
        )
        return int(done.returncode), str(done.stdout)
