# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""skopeo: its command lines, which hold no secrets, and what it says when it fails."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.access import Access, PrivateFolder
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import (
    RegistryFailure,
    cause_of,
    failure,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.places import Place
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.endpoint import DOCKER_HUB, DOCKER_HUB_HOST

NEEDED = (1, 5)
"""The first release with ``--preserve-digests``."""

_SOURCE = re.compile(r"initializing source|reading (?:manifest|blob|config|signatures)|determining manifest")
"""How skopeo (containers/image ``copy/copy.go``) begins what it says about the side it reads from."""

_MESSAGE = re.compile(r'msg="((?:[^"\\]|\\.)*)"')


def version() -> str:
    """The release of skopeo on this machine, "" where it is not installed."""
    if not shutil.which("skopeo"):
        return ""
    done = subprocess.run(["skopeo", "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    found = re.search(r"\d+\.\d+[^\s]*", done.stdout.decode("utf-8", "replace"))
    return found.group() if found else "unknown"


def lacking(found: str) -> str:
    """What is missing and how to get it, "" where skopeo can be used."""
    if not found:
        return (
            "skopeo is missing: install it (apt-get install skopeo, dnf install skopeo), or run the mirror on a host "
            "that has it. Nothing has been copied."
        )
    numbers = re.match(r"(\d+)\.(\d+)", found)
    if numbers and (int(numbers.group(1)), int(numbers.group(2))) < NEEDED:
        return "skopeo %s does not know --preserve-digests: 1.5 or later is needed. Nothing has been copied." % found
    return ""


class Skopeo:
    """Runs skopeo for one call; :meth:`stop` ends what runs."""

    def __init__(self, folder: PrivateFolder, access: dict[str, Access], timeout: float) -> None:
        self._folder = folder
        self._access = access
        self._timeout = timeout
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False
        self._auth_files: dict[str, str] = {}

    def copy(self, source: Place | str, target: Place | str, whole: bool) -> None:
        """Copy one image; a side that is text is a name of a transport such as ``dir:/path``.

        :param whole: an index with all its platforms.
        :raises RegistryFailure: where skopeo fails.
        """
        command = ["skopeo", "copy", "--quiet"]
        if not (isinstance(source, str) and source.startswith("docker-archive:")):
            # A tarball's layers have no compression; a registry's copy of them has another digest anyway.
            command.append("--preserve-digests")
        if whole:
            command.append("--all")
        command += self._side("src", source) + self._side("dest", target) + [_name(source), _name(target)]
        self._run(command, _host(source), _host(target))

    def _side(self, side: str, place: Place | str) -> list[str]:
        if isinstance(place, str):
            return []
        access = self._access.get("%s:%s" % (side, place.host), Access(place.host, place.scheme))
        with self._lock:
            key = side + access.host
            if key not in self._auth_files:
                self._auth_files[key] = self._folder.auth_file(side, access._replace(host=_written(access.host)))
        options = ["--%s-authfile" % side, self._auth_files[key]]
        if access.scheme == "http" or access.insecure:
            options.append("--%s-tls-verify=false" % side)
        if access.scheme == "https":
            options += ["--%s-cert-dir" % side, self._folder.certificates(access)]
        return options

    def _run(self, command: list[str], source: str, target: str) -> None:
        with self._lock:
            if self._stopped:
                raise failure("stopped", target or source)
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env=dict(os.environ, LC_ALL="C"),
            )  # fmt: skip
            self._running.add(process)
        try:
            _out, said = process.communicate(timeout=self._timeout)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.communicate()
            raise failure("timeout", target or source, "not done after %d seconds" % self._timeout) from error
        finally:
            with self._lock:
                self._running.discard(process)
        if process.returncode:
            raise self._failure(said.decode("utf-8", "replace"), source, target)

    def _failure(self, said: str, source: str, target: str) -> RegistryFailure:
        messages = _MESSAGE.findall(said) or said.strip().splitlines()
        last = (messages[-1] if messages else "").replace('\\"', '"').replace("\\n", " ")
        last = last.replace(self._folder.path, "(private)")
        host = source if source and (not target or _SOURCE.search(last)) else target
        return failure(cause_of(last), host or "this machine", last[-600:])

    def stop(self, *unused: Any) -> None:
        """End every copy that runs, and begin no other."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.send_signal(signal.SIGTERM)


def _written(host: str) -> str:
    """A host as skopeo looks it up: Docker Hub's credentials are those of its name in images."""
    return DOCKER_HUB if host == DOCKER_HUB_HOST else host


def _name(place: Place | str) -> str:
    return place if isinstance(place, str) else "docker://" + place._replace(host=_written(place.host)).text


def _host(place: Place | str) -> str:
    return "" if isinstance(place, str) else place.host
