# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A containerd of its own: in a folder of its own, with nothing but the CRI's image service in use."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fleet.stand_in.protobuf import field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VARIABLE = "CONTAINERD"
_PACKAGE = "containerd"

_CONFIG = """version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.grpc.v1.restart"]
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{folder}/certs.d"
"""


class ContainerdError(Exception):
    """Says what is missing or what containerd said."""


def find(cache: Path) -> Path:
    """The containerd to test against: $CONTAINERD, an installed one, or Debian's package unpacked into `cache`.

    :raises ContainerdError: where there is none and none can be had.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if not os.access(named, os.X_OK):
            raise ContainerdError(f"${VARIABLE} names {named}, which is no program")
        return Path(named)
    unpacked = cache / "usr" / "bin" / "containerd"
    installed = shutil.which("containerd")
    if installed:
        return Path(installed)
    if not unpacked.exists():
        _unpack(cache)
    return unpacked


def _unpack(cache: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise ContainerdError(
            f"containerd is missing: install your system's package, or name the program in ${VARIABLE}"
        )
    cache.mkdir(parents=True, exist_ok=True)
    # Unpacked, not installed: an installed one would be started as a service.
    done = _download(cache)
    if done.returncode and os.geteuid() == 0:
        subprocess.run(["apt-get", "-q", "update"], capture_output=True, check=False, timeout=600)
        done = _download(cache)
    packages = sorted(cache.glob(f"{_PACKAGE}_*.deb"))
    if done.returncode or not packages:
        raise ContainerdError(f"apt-get download {_PACKAGE} failed: {done.stderr.strip()}")
    subprocess.run(["dpkg-deb", "-x", str(packages[-1]), str(cache)], check=True, timeout=120)


def _download(cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "-q", "download", _PACKAGE], cwd=cache, capture_output=True, text=True, check=False, timeout=600
    )


class Containerd:
    """A running containerd. A context manager: leaving it ends the process."""

    def __init__(self, program: Path, folder: Path, environment: Mapping[str, str], more: str = "") -> None:
        """
        :param more: of its configuration, such as the credentials that K3s writes there.
        """
        self.folder = folder
        self.config = folder / "config.toml"
        self._more = more
        self.certs_d = folder / "certs.d"
        self._program = program
        self._environment = environment
        self.log = folder / "containerd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Any = None
        done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True, timeout=30)
        self.version = done.stdout.strip()

    @property
    def is_fork(self) -> bool:
        """Whether it is K3s' own, which knows rewrites and leaves the registry itself out where K3s says so."""
        return bool(re.search("k3s|rke2", self.version))

    @property
    def tries_https_first(self) -> bool:
        """Whether it asks an http host that has TLS settings over https first: since containerd 1.7."""
        found = re.search(r"\bv?(\d+)\.(\d+)\.\d+", self.version)
        return found is not None and (int(found[1]), int(found[2])) >= (1, 7)

    def __enter__(self) -> Containerd:
        import grpc

        self.certs_d.mkdir()
        self.config.write_text(_CONFIG.format(folder=self.folder) + self._more, encoding="utf-8")
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(self._program), "-c", str(self.config)],
                stdout=output,
                stderr=output,
                env=dict(os.environ, **self._environment),
            )
        # gRPC itself takes proxies from the environment for TCP only; this is a socket.
        self._channel = grpc.insecure_channel(f"unix://{self.folder}/containerd.sock")
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused: object) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _wait(self, timeout: float = 30.0) -> None:
        import grpc

        assert self._process is not None
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self._call("ImageService/ListImages", b"", 2.0)
                return
            except grpc.RpcError:
                time.sleep(0.1)
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        raise ContainerdError("containerd's CRI service does not answer; its log ends:\n  " + "\n  ".join(lines))

    def _call(self, method: str, request: bytes, timeout: float) -> bytes:
        call = self._channel.unary_unary("/runtime.v1." + method, lambda data: data, lambda data: data)
        return bytes(call(request, timeout=timeout))

    def configure(self, texts: Mapping[str, str]) -> None:
        """Replaces certs.d, as K3s does at its start: name of the directory to the text of its hosts.toml."""
        shutil.rmtree(self.certs_d)
        self.certs_d.mkdir()
        for name, text in texts.items():
            (self.certs_d / name).mkdir()
            (self.certs_d / name / "hosts.toml").write_text(text, encoding="utf-8")

    def pull(self, image: str, timeout: float = 20.0) -> str:
        """Asks for an image that no registry has; returns containerd's error.

        :raises ContainerdError: if it has been pulled, or if containerd does not answer in time.
        """
        error = self.try_to_pull(image, timeout)
        if not error:
            raise ContainerdError(f"{image} was pulled, although no registry has it")
        return error

    def try_to_pull(self, image: str, timeout: float = 20.0) -> str:
        """Asks for an image; returns containerd's error, "" if it has been pulled.

        :raises ContainerdError: if containerd does not answer in time.
        """
        import grpc

        try:
            self._call("ImageService/PullImage", field(1, field(1, image)), timeout)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise ContainerdError(f"the pull of {image} did not end within {timeout:.0f} s") from None
            return str(error.details()) or str(error.code())
        return ""
