# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registries of the cases: one container in the fleet's network with a docker-registry for each kind of fault.

They share their storage, which is filled through the plain one and then damaged.
"""

from __future__ import annotations

import gzip
import http.client
import json
import shutil
import time
from pathlib import Path
from typing import Any

from tests.fleet import contents, image, podman
from tests.fleet.certificates import Issued, write_private
from tests.fleet.process import FleetError
from tests.fleet.state import Fleet
from tests.registry_faults import tokens
from tests.registry_faults.cases import APP, FILTERED_PORT, REGISTRIES, ROBOT, SERVERS, TOKENS_DOWN_PORT
from tests.registry_faults.servers import INDEX

CONTAINER = "faults"
# Each registry is a process. The caching one asks the plain one at its start, and ends where that does not answer; its
# disk is filled when all of them have begun.
_START = """\
import crypt, json, os, socket, subprocess, time
with open("/faults/users.json") as handle:
    users = json.load(handle)
with open(os.open("/run/htpasswd", os.O_WRONLY | os.O_CREAT, 0o600), "w") as handle:
    for user, password in users.items():
        handle.write("%s:%s\\n" % (user, crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))))
log = open("/faults/registries.log", "ab")
def start(name):
    command = ["/usr/bin/docker-registry", "serve", "/faults/configs/%s.yml" % name]
    return subprocess.Popen(command, stdout=log, stderr=log)
def wait(port):
    for _unused in range(200):
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("nothing listens at port %d" % port)
with open("/faults/ports.json") as handle:
    ports = json.load(handle)
running = start("plain")
wait(ports.pop("plain"))
for name in ports:
    start(name)
for port in ports.values():
    wait(port)
try:
    with open("/full/ballast", "wb", 0) as ballast:
        while True:
            ballast.write(bytes(512))
except OSError:
    pass
subprocess.run(["iptables", "-A", "INPUT", "-p", "tcp", "--dport", "@FILTERED@", "-j", "DROP"], check=True)
open("/faults/ready", "w").close()
running.wait()
"""


def address(fleet: Fleet, last: int) -> str:
    """An address of the fleet's network: .1 is this machine, .3 the registries, .250 nobody."""
    return f"{fleet.subnet.rpartition('.')[0]}.{last}"


def _config(name: str, port: int, gateway: str) -> dict[str, Any]:
    server: dict[str, Any] = {"addr": f":{port}"}
    if name not in ("plain", "disk-full"):
        certificate = name if name in ("expired", "future", "other-name", "common-name") else "tls"
        server["tls"] = {"certificate": f"/faults/pki/{certificate}.crt", "key": f"/faults/pki/{certificate}.key"}
    if name == "mutual":
        server["tls"]["clientcas"] = ["/faults/pki/ca.crt"]
    config: dict[str, Any] = {
        "version": "0.1",
        "log": {"accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": "/faults/storage"}},
        "http": server,
    }
    if name == "password":
        config["auth"] = {"htpasswd": {"realm": "faults", "path": "/run/htpasswd"}}
    if name.startswith("token"):
        port = SERVERS["tokens"] if name == "token" else TOKENS_DOWN_PORT
        config["auth"] = {
            "token": {
                "realm": f"https://{gateway}:{port}/token",
                "service": tokens.SERVICE,
                "issuer": tokens.ISSUER,
                "rootcertbundle": "/faults/pki/ca.crt",
            }
        }
    if name == "disk-full":
        config["storage"] = {"filesystem": {"rootdirectory": "/full"}}
        config["proxy"] = {"remoteurl": f"http://127.0.0.1:{REGISTRIES['plain']}"}
    return config


class Registries:
    """The container; leaving the context removes it."""

    def __init__(self, fleet: Fleet, issued: dict[str, Issued]) -> None:
        self._fleet = fleet
        self._issued = issued
        self.address = address(fleet, 3)
        self.folder = fleet.folder / "faults"

    def __enter__(self) -> Registries:
        self._remove()
        pki, configs = self.folder / "pki", self.folder / "configs"
        for folder in (self.folder, pki, configs, self.folder / "storage"):
            folder.mkdir(mode=0o700)
        for name, issued in self._issued.items():
            issued.write(pki / name)
        for name, port in REGISTRIES.items():
            config = _config(name, port, address(self._fleet, 1))
            (configs / f"{name}.yml").write_text(json.dumps(config), encoding="utf-8")
        (self.folder / "ports.json").write_text(json.dumps(REGISTRIES), encoding="utf-8")
        write_private(self.folder / "users.json", json.dumps({ROBOT["username"]: ROBOT["password"]}).encode())
        (self.folder / "start.py").write_text(_START.replace("@FILTERED@", str(FILTERED_PORT)), encoding="utf-8")
        podman.podman(
            "run", "--detach", "--name", self._fleet.container(CONTAINER), *podman.labels(self._fleet.name),
            *podman.address_options(self._fleet.name, self.address), "--cap-add", "NET_ADMIN",
            "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000",
            "--tmpfs", "/full:size=256k", "--stop-signal", "SIGKILL",
            "--volume", f"{self.folder}:/faults", image.ensure(), "python3", "/faults/start.py",
        )  # fmt: skip
        self._fill()
        return self

    def __exit__(self, *_error: object) -> None:
        self._remove()

    def _remove(self) -> None:
        podman.podman("rm", "--force", "--time", "0", "--ignore", self._fleet.container(CONTAINER))
        shutil.rmtree(self.folder, ignore_errors=True)

    def _fill(self, patience: float = 20.0) -> None:
        deadline = time.monotonic() + patience
        while not (self.folder / "ready").exists():
            if time.monotonic() > deadline:
                log = self.folder / "registries.log"
                raise FleetError(f"the registries do not start: {log.read_text()[-2000:] if log.exists() else ''}")
            time.sleep(0.1)
        pusher = Pusher(self.address, REGISTRIES["plain"])
        pusher.image(APP)
        pusher.foreign("team/foreign:1")
        for name, damage in (("team/damaged:1", _replace), ("team/incomplete:1", Path.unlink)):
            pusher.image(name)
            for architecture in ("amd64", "arm64"):
                damage(self._layer(name, architecture))

    def _layer(self, name: str, architecture: str) -> Path:
        """The stored layer of an image."""
        layer = gzip.compress(contents.layer_of(architecture, name), mtime=0)
        digest = contents.digest(layer).partition(":")[2]
        return self.folder / "storage/docker/registry/v2/blobs/sha256" / digest[:2] / digest / "data"


def _replace(path: Path) -> None:
    path.write_bytes(b"\x00" + path.read_bytes())


class Pusher(contents.Pusher):
    """Fills a registry that asks for nothing."""

    def __init__(self, host: str, port: int) -> None:
        self.connection = http.client.HTTPConnection(host, port, timeout=10)
        self.headers = {}

    def foreign(self, name: str) -> None:
        """An image whose index has other platforms than any node."""
        repository, _colon, tag = name.rpartition(":")
        self.image(name)
        self.connection.request("GET", f"/v2/{repository}/manifests/{tag}", headers={"Accept": INDEX})
        index = self.connection.getresponse().read()
        index = index.replace(b'"amd64"', b'"s390x"').replace(b'"arm64"', b'"ppc64le"')
        self.manifest(repository, tag, index, INDEX)
