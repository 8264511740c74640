# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""skopeo, which turns an image of a ``docker save`` tarball into one that a registry can have.

It is asked for nothing else, and never speaks to a registry: its HTTP client follows redirects and realms by rules of
its own, takes a registry's exceptions to the servers that it refers to, and reads blobs for as long as they last.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import threading

from .failures import RegistryFailure, cause_of

_HERE = "this machine"
_EXPANSION = 20
_LEAST = 1 << 30
_SAID = 64 << 10
_MESSAGE = re.compile(r'msg="((?:[^"\\]|\\.)*)"')


def version() -> str:
    """The release of skopeo on this machine, "" if it is not installed."""
    if not shutil.which("skopeo"):
        return ""
    done = subprocess.run(["skopeo", "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    found = re.search(r"\d+\.\d+[^\s]*", done.stdout.decode("utf-8", "replace"))
    return found.group() if found else "unknown"


def lacking(found: str) -> str:
    """What is missing and how to get it, "" if skopeo is there."""
    if found:
        return ""
    return (
        "skopeo is missing, which unpacks archives: install it (apt-get install skopeo, dnf install skopeo), or run "
        "the mirror on a host that has it. Nothing has been copied."
    )


class Skopeo:
    """Runs skopeo for one call; :meth:`stop` ends what runs."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def unpack(self, tar: str, name: str, folder: str) -> None:
        """Unpack one image of a tarball, its layers packed by gzip, into a folder of the ``dir:`` transport.

        :raises RegistryFailure: if skopeo fails.
        """
        command = ["skopeo", "copy", "--quiet", "--dest-compress"]
        command += ["docker-archive:%s:%s" % (tar, name), "dir:" + folder]
        with self._lock:
            if self._stopped:
                raise RegistryFailure("stopped", _HERE)
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env=dict(os.environ, LC_ALL="C"),
            )  # fmt: skip
            self._running.add(process)
        # A layer that is packed in the tarball may unpack to anything.
        most = max(_LEAST, _EXPANSION * os.path.getsize(tar))
        if hasattr(resource, "prlimit"):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
        try:
            _out, said = process.communicate(timeout=self._timeout)
        except subprocess.TimeoutExpired as error:
            raise RegistryFailure(
                "timeout", _HERE, seen="skopeo was not done after %d seconds" % self._timeout
            ) from error
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
            with self._lock:
                self._running.discard(process)
        if process.returncode:
            raise _failure(said[-_SAID:].decode("utf-8", "replace"), tar)

    def stop(self) -> None:
        """End every copy that runs, and begin no other."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.send_signal(signal.SIGTERM)


def _failure(said: str, tar: str) -> RegistryFailure:
    messages = _MESSAGE.findall(said) or said.strip().splitlines()
    last = (messages[-1] if messages else "").replace('\\"', '"').replace("\\n", " ")
    return RegistryFailure(cause_of(last), tar, said=last[-600:])
