# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet's nodes: containers that boot systemd and are reached over SSH."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fleet import cluster_pki, containerd_source, openrc, podman, real_k3s, sshkeys, units
from tests.fleet.archive import Archive
from tests.fleet.process import FleetError, run, say
from tests.fleet.state import REGISTRY_HOST, USER, Fleet, Node

_STAND_IN = Path(__file__).resolve().parent / "stand_in"
_LIBRARY = "usr/local/lib/k3s-stand-in"
# -I and -S: nothing of the node's own Python reaches the stand-in, nor the other way round.
_COMMAND = """\
#!/usr/bin/python3 -IS
import os
import sys

sys.path[:0] = ["/%s", "/%s/vendor"]
from stand_in.__main__ import main

name = os.path.basename(sys.argv[0])
if name in ("kubectl", "crictl", "ctr"):
    sys.exit(main([name, *sys.argv[1:]]))
sys.exit(main(sys.argv[1:]))
""" % (_LIBRARY, _LIBRARY)


def create_all(fleet: Fleet, image: str, k3s: Path | None) -> None:
    """Make the nodes and boot them; with the stand-in where ``k3s`` is None."""
    if k3s is None:
        cluster_pki.make(fleet.folder / "pki")
    public = sshkeys.make(fleet.folder / "ssh" / "id_ed25519", "fleet-" + fleet.name)
    host_keys = {node.name: sshkeys.make(fleet.folder / "ssh" / node.name, node.name) for node in fleet.nodes}
    known = ["%s,%s %s" % (node.name, node.address, host_keys[node.name]) for node in fleet.nodes]
    (fleet.folder / "ssh" / "known_hosts").write_text("".join(known), encoding="utf-8")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda node: _create(fleet, node, image, public, k3s), fleet.nodes))


def _create(fleet: Fleet, node: Node, image: str, public_key: str, k3s: Path | None) -> None:
    name = fleet.container(node.name)
    volumes = []
    for folder in ("rancher", "kubelet"):
        volume = "%s-%s" % (name, folder)
        podman.podman("volume", "create", *podman.labels(fleet.name), volume)
        volumes += ["--volume", "%s:/var/lib/%s:exec,dev,suid" % (volume, folder)]
    if fleet.containerd:
        volumes += ["--volume", "%s:/%s/containerd:ro" % (containerd_source.path(fleet.containerd), _LIBRARY)]
    podman.podman(
        "create", "--name", name, "--hostname", node.name, *podman.labels(fleet.name),
        *podman.address_options(fleet.name, node.address),
        "--privileged", "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000", "--tz", "Etc/UTC",
        *volumes, *(openrc.container(image) if fleet.init == "openrc" else ["--systemd=always", image]),
    )  # fmt: skip
    podman.podman("cp", "--archive=false", "-", name + ":/", stdin=_files(fleet, node, public_key))
    if k3s is not None:
        real_k3s.copy_binary(fleet, node, k3s)
    podman.podman("start", name)


def _files(fleet: Fleet, node: Node, public_key: str) -> bytes:
    archive = Archive()
    names = ["127.0.0.1 localhost", "::1 localhost", "%s %s" % (fleet.registry.address, REGISTRY_HOST)]
    names += ["%s %s" % (other.address, other.name) for other in fleet.nodes]
    archive.file("etc/hosts", "\n".join(names) + "\n")
    ssh = fleet.folder / "ssh"
    archive.file("etc/ssh/ssh_host_ed25519_key", (ssh / node.name).read_bytes(), 0o600)
    archive.file("etc/ssh/ssh_host_ed25519_key.pub", (ssh / (node.name + ".pub")).read_bytes())
    archive.folder("home/%s" % USER, 0o755, 1000)
    archive.folder("home/%s/.ssh" % USER, 0o700, 1000)
    archive.file("home/%s/.ssh/authorized_keys" % USER, public_key, 0o600, 1000)
    _add_k3s(archive, fleet, node)
    return archive.content()


def _add_k3s(archive: Archive, fleet: Fleet, node: Node) -> None:
    service = fleet.service(node)
    if fleet.init == "openrc":
        archive.file("etc/init.d/" + service, openrc.script(service, node.role), 0o755)
        archive.link("etc/runlevels/default/" + service, "/etc/init.d/" + service)
        archive.folder("etc/rancher/" + fleet.distribution)
        add_stand_in(archive, fleet, node)
        return
    for path, text in units.files(fleet.distribution, service, node.role, environment(fleet, node)).items():
        archive.file(path, text, 0o600 if path.endswith(".env") else 0o644)
    archive.folder("etc/rancher/" + fleet.distribution)
    if fleet.k3s == "real":
        real_k3s.add_files(archive, fleet, node)
        return
    archive.link(*units.link(fleet.distribution, service))
    add_stand_in(archive, fleet, node)


def environment(fleet: Fleet, node: Node, port: int = 0) -> dict[str, str]:
    """What the installer writes for the unit: where an agent joins. A real K3s has that in its config.yaml here."""
    if node.role == "server" or fleet.k3s == "real":
        return {}
    port = port or (9345 if fleet.distribution == "rke2" else 6443)
    return {fleet.distribution.upper() + "_URL": "https://%s:%d" % (fleet.servers[0].address, port)}


def add_stand_in(archive: Archive, fleet: Fleet, node: Node) -> None:
    """The command, its library and the facts that it needs about its node."""
    archive.tree(_STAND_IN, _LIBRARY + "/stand_in", ".py")
    archive.file("usr/local/bin/" + fleet.distribution, _COMMAND, 0o755)
    if fleet.distribution == "k3s":
        for name in ("kubectl", "crictl", "ctr"):
            archive.link("usr/local/bin/" + name, "k3s")
    facts = {
        "program": fleet.distribution,
        "release": fleet.release,
        "name": node.name,
        "address": node.address,
        "servers": {server.name: server.address for server in fleet.servers},
        "token": fleet.token,
        "grace_seconds": fleet.grace_seconds,
        "containerd": "/%s/containerd" % _LIBRARY if fleet.containerd else "/usr/bin/containerd",
    }
    archive.file("etc/k3s-stand-in/node.json", json.dumps(facts, indent=2), 0o600)
    for path, content in cluster_pki.of_node(fleet, node).items():
        archive.file("etc/k3s-stand-in/tls/" + path, content, 0o600 if path.endswith(".key") else 0o644)


def wait_for_ssh(fleet: Fleet, patience: float = 60.0, only: str = "") -> None:
    """:raises FleetError: naming the first node whose port 22 stays silent."""
    deadline = time.monotonic() + patience
    for node in fleet.nodes:
        if only and node.name != only:
            continue
        while True:
            try:
                with socket.create_connection((node.address, 22), timeout=2) as connection:
                    if connection.recv(4) == b"SSH-":
                        break
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise FleetError("%s does not answer on port 22 after %d s" % (node.name, patience))
            time.sleep(0.1)


def wait_until_ready(fleet: Fleet, patience: float = 180.0, names: list[str] | None = None) -> None:
    """Until the first server says that every node is Ready, or those in ``names``.

    :raises FleetError: naming the nodes that are not.
    """
    deadline = time.monotonic() + patience
    missing = set(names or [node.name for node in fleet.nodes])
    kubectl = "/var/lib/rancher/rke2/bin/kubectl" if fleet.distribution == "rke2" else "k3s kubectl"
    kubeconfig = "%s/%s.yaml" % (fleet.config_dir, fleet.distribution)
    command = "%s --kubeconfig %s get nodes -o json" % (kubectl, kubeconfig)
    while True:
        answer = execute(fleet, fleet.servers[0].name, ["sh", "-c", command], check=False)
        if answer.returncode == 0:
            for item in json.loads(answer.stdout)["items"]:
                if any(c["type"] == "Ready" and c["status"] == "True" for c in item["status"]["conditions"]):
                    missing.discard(item["metadata"]["name"])
            if not missing:
                return
        if time.monotonic() > deadline:
            raise FleetError("not Ready after %d s: %s" % (patience, ", ".join(sorted(missing))))
        time.sleep(0.3)


def execute(fleet: Fleet, node: str, command: list[str], check: bool = True, stdin: bytes | None = None):  # type: ignore[no-untyped-def]
    """Run a command as root on a node, past SSH; ``node`` may be `registry`."""
    interactive = ["--interactive"] if stdin is not None else []
    return run(["podman", "exec", *interactive, fleet.container(node), *command], stdin=stdin, check=check)


def start_stopped(fleet: Fleet, states: dict[str, str]) -> None:
    for name, state in states.items():
        if state != "running":
            say("Starting %s again" % name)
            podman.podman("start", name)
