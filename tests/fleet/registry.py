# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet's registry: Debian's docker-registry with TLS, required client certificates and htpasswd."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Mapping

from tests.fleet import contents, podman
from tests.fleet.certificates import issue, load, make_pki, write_private
from tests.fleet.process import run, say
from tests.fleet.state import REGISTRY_HOST, Fleet

CONTAINER = "registry"
_CONFIG = """\
version: 0.1
log:
  # Only the lines below info carry the user's name.
  level: debug
  formatter: json
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: /var/lib/registry
  delete:
    enabled: true
http:
  addr: :5000
  tls:
    certificate: /fleet/tls/server.crt
    key: /fleet/tls/server.key
    clientcas: [/fleet/tls/client-ca.crt]
auth:
  htpasswd:
    realm: k3sfleet
    path: /run/htpasswd
"""
# htpasswd wants bcrypt, which Debian's libcrypt has; the password comes from a file that only root may read.
_USERS = """\
import crypt, json, os
with open("/fleet/users.json") as handle:
    users = json.load(handle)
with open(os.open("/run/htpasswd.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
    for user, password in users.items():
        handle.write("%s:%s\\n" % (user, crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))))
os.rename("/run/htpasswd.new", "/run/htpasswd")
"""
_START = (
    _USERS
    + """\
log = os.open("/fleet/registry.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.dup2(log, 1)
os.dup2(log, 2)
os.execv("/usr/bin/docker-registry", ["docker-registry", "serve", "/fleet/config.yml"])
"""
)


def hosts(fleet: Fleet) -> tuple[str, ...]:
    """Names and addresses that the server's certificate is valid for."""
    return (REGISTRY_HOST, fleet.registry.address)


def create(fleet: Fleet, image: str) -> None:
    """Make certificates and configuration, start the registry; `contents.fill` waits for it and fills it."""
    pki, folder = fleet.folder / "pki", fleet.folder / "registry"
    make_pki(pki, hosts(fleet))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "config.yml").write_text(_CONFIG, encoding="utf-8")
    (folder / "start.py").write_text(_START, encoding="utf-8")
    write_private(folder / "users.json", json.dumps({fleet.registry.username: fleet.registry.password}).encode())
    install_certificates(fleet)
    podman.podman(
        "run", "--detach", "--name", fleet.container(CONTAINER), "--hostname", CONTAINER, *podman.labels(fleet.name),
        *podman.address_options(fleet.name, fleet.registry.address),
        "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000",
        "--volume", "%s:/fleet" % folder, "--stop-signal", "SIGKILL", image, "python3", "/fleet/start.py",
    )  # fmt: skip


def install_certificates(fleet: Fleet) -> None:
    """Put what the registry itself needs where it reads it."""
    pki, tls = fleet.folder / "pki", fleet.folder / "registry" / "tls"
    tls.mkdir(mode=0o700, exist_ok=True)
    for source, target in (("server.crt", "server.crt"), ("server.key", "server.key"), ("ca.crt", "client-ca.crt")):
        if target == "client-ca.crt" and (tls / target).exists():
            continue
        shutil.copy(pki / source, tls / target)


def set_users(fleet: Fleet, users: Mapping[str, str]) -> None:
    """Who may log in from now on, with which passwords, without a restart: docker-registry looks at its htpasswd when
    that has changed. Where the fleet's own user gets another password, the fleet knows."""
    write_private(fleet.folder / "registry" / "users.json", json.dumps(dict(users)).encode())
    if fleet.registry.username in users:
        fleet.registry.password = users[fleet.registry.username]
        fleet.save()
    command = ["podman", "exec", "--interactive", fleet.container(CONTAINER), "python3", "-"]
    run(command, stdin=_USERS.encode())


def start(fleet: Fleet) -> None:
    """Start a stopped registry and wait for it."""
    podman.podman("start", fleet.container(CONTAINER))
    contents.fill(fleet, ())


def restart(fleet: Fleet) -> None:
    podman.podman("restart", "--time", "0", fleet.container(CONTAINER))
    contents.fill(fleet, ())


def reissue(fleet: Fleet, new_ca: bool) -> Path:
    """Give the registry a new server certificate, of a new CA when asked; returns the CA's file.

    Client certificates of the fleet's first CA stay good: servers and clients may change their CAs at different times.
    """
    pki = fleet.folder / "pki"
    if new_ca:
        from tests.fleet.certificates import authority

        say("New CA for the registry's server certificate")
        authority("k3sfleet registry CA, renewed").write(pki / "ca")
    issue(load(pki / "ca"), REGISTRY_HOST, hosts(fleet)).write(pki / "server")
    install_certificates(fleet)
    restart(fleet)
    return pki / "ca.crt"
