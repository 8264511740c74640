# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries on this machine: Debian's docker-registry, plain or with TLS, client certificate and password.

Or another build of the same program, and as a pull-through cache of another registry."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import yaml

from tests.fleet.certificates import authority, issue, write_private

USERNAME = "robot$mirror"
PASSWORD = "pw-1f #%x:y"
PROGRAMS = {"docker-registry": "docker-registry", "skopeo": "skopeo", "zstd": "zstd", "htpasswd": "apache2-utils"}


class Missing(RuntimeError):
    """A program that these tests need is not there."""


def missing_packages() -> list[str]:
    """Debian packages that are not there yet."""
    return sorted(package for program, package in PROGRAMS.items() if not shutil.which(program))


def check_programs() -> None:
    """:raises Missing: naming the Debian packages to install."""
    packages = missing_packages()
    if packages:
        raise Missing(
            "missing: %s. `make mirror` installs them as root on Debian 12, Ubuntu 24.04 and later; elsewhere "
            "install them by your system's means" % ", ".join(packages)
        )


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


class LocalRegistry:
    """One docker-registry on 127.0.0.1.

    secure: TLS, a required client certificate and a password.
    megabytes: its storage has room for no more; it is a small file system of its own then.
    program: another build of CNCF distribution.
    proxy: its section ``proxy``, which makes a pull-through cache of it.
    """

    def __init__(
        self, folder: Path, secure: bool = False, megabytes: int = 0, program: str = "docker-registry",
        proxy: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.program, self.proxy = program, proxy
        self.folder, self.secure, self.megabytes, self.read_only = folder, secure, megabytes, False
        self.storage = folder / "data"
        self.port = free_port()
        self.log = folder / "registry.log"
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if secure:
            ca = authority("mirror test CA")
            ca.write(folder / "ca")
            issue(ca, "localhost", ("127.0.0.1", "localhost")).write(folder / "server")
            issue(ca, "mirror", client=True).write(folder / "client")
            made = subprocess.run(
                ["htpasswd", "-iBnC", "4", USERNAME], input=PASSWORD.encode(), stdout=subprocess.PIPE, check=True
            )
            write_private(folder / "htpasswd", made.stdout)
        self.start()

    @property
    def host(self) -> str:
        return "127.0.0.1:%d" % self.port

    @property
    def url(self) -> str:
        return "%s://%s" % ("https" if self.secure else "http", self.host)

    @property
    def settings(self) -> dict[str, Any]:
        """What stands in ``configs`` for this registry."""
        if not self.secure:
            return {}
        return {
            "auth": {"username": USERNAME, "password": PASSWORD},
            "tls": {
                "ca_src": str(self.folder / "ca.crt"),
                "cert_src": str(self.folder / "client.crt"),
                "key_src": str(self.folder / "client.key"),
            },
        }

    def config(self, registry: str = "docker.io", rewrite: dict[str, str] | None = None) -> dict[str, Any]:
        """A registries configuration that mirrors ``registry`` here."""
        mirror: dict[str, Any] = {"endpoint": [self.url]}
        if rewrite:
            mirror["rewrite"] = rewrite
        return {"mirrors": {registry: mirror}, "configs": {self.host: self.settings} if self.secure else {}}

    def start(self) -> None:
        http_settings: dict[str, Any] = {"addr": self.host, "relativeurls": True}
        content: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "info", "formatter": "json", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.storage)},
                "delete": {"enabled": True},
                "maintenance": {"readonly": {"enabled": self.read_only}, "uploadpurging": {"enabled": False}},
            },
            "http": http_settings,
        }
        if self.proxy:
            content["proxy"] = self.proxy
        if self.secure:
            http_settings["tls"] = {
                "certificate": str(self.folder / "server.crt"),
                "key": str(self.folder / "server.key"),
                "clientcas": [str(self.folder / "ca.crt")],
            }
            content["auth"] = {"htpasswd": {"realm": "test", "path": str(self.folder / "htpasswd")}}
        (self.folder / "config.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
        with open(self.log, "ab") as log:
            # Version 3 would look for a collector of its traces.
            environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
            self.process = subprocess.Popen(self._command(), stdout=log, stderr=log, env=environment)
        self._wait()

    def _command(self) -> list[str]:
        command = [self.program, "serve", str(self.folder / "config.yml")]
        if not self.megabytes:
            return command
        self.storage.mkdir(exist_ok=True)
        namespace = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
        script = 'mount -t tmpfs -o size=%dm small "$1"; shift; exec "$@"' % self.megabytes
        return [*namespace, "sh", "-c", script, "sh", str(self.storage), *command]

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self, read_only: bool) -> None:
        self.stop()
        self.read_only = read_only
        self.start()

    def _wait(self, patience: float = 20.0) -> None:
        deadline = time.monotonic() + patience
        while True:
            try:
                self.request("GET", "/v2/")
                return
            except (OSError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def connection(self) -> http.client.HTTPConnection:
        if not self.secure:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        context.load_cert_chain(str(self.folder / "client.crt"), str(self.folder / "client.key"))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)

    @property
    def authorization(self) -> dict[str, str]:
        if not self.secure:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (USERNAME, PASSWORD)).encode()).decode()}

    def request(
        self, method: str, path: str, body: bytes | None = None, kind: str = "", accept: str = "*/*"
    ) -> tuple[int, dict[str, str], bytes]:
        connection = self.connection()
        headers = {"Accept": accept, **self.authorization}
        if kind:
            headers["Content-Type"] = kind
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def digest(self, repository: str, reference: str) -> str:
        """The digest of a manifest or index, "" where it is not there."""
        kinds = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
        kinds += "application/vnd.docker.distribution.manifest.v2+json"
        status, headers, _body = self.request("HEAD", "/v2/%s/manifests/%s" % (repository, reference), accept=kinds)
        return headers["docker-content-digest"] if status == 200 else ""

    def mark(self) -> int:
        """A place in the log, for :meth:`requests`."""
        return self.log.stat().st_size

    def settle(self, patience: float = 10.0) -> None:
        """Wait until the log holds everything that has been asked: until a request of our own stands in it."""
        mark = "/v2/settle-%d/tags/list" % time.monotonic_ns()
        self.request("GET", mark)
        deadline = time.monotonic() + patience
        while mark not in self.log.read_text("utf-8", "replace") and time.monotonic() < deadline:
            time.sleep(0.02)

    def requests(self, since: int = 0) -> list[tuple[str, str, int]]:
        """Method, path and status of every request that ended after ``since``, oldest first."""
        with open(self.log, "rb") as handle:
            handle.seek(since)
            lines = handle.read().decode("utf-8", "replace").splitlines()
        found = []
        for line in lines:
            try:
                content = json.loads(line)
            except ValueError:
                continue
            uri = content.get("http.request.uri", "/v2/settle-")
            if "http.response.status" in content and not uri.startswith("/v2/settle-"):
                path = content["http.request.uri"].partition("?")[0]
                found.append((content["http.request.method"], path, int(content["http.response.status"])))
        return found
