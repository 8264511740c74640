# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real K3s on the fleet's nodes: its files, its configuration, and the order in which a cluster forms."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from tests.fleet import nodes, podman
from tests.fleet.archive import Archive
from tests.fleet.process import FleetError, say
from tests.fleet.stand_in.flags import AGENT_FLAGS
from tests.fleet.state import Fleet, Node

# What a kubelet needs in a container on hybrid cgroups, with swap on the machine or without.
_EVERYWHERE: dict[str, Any] = {"kubelet-arg": ["fail-swap-on=false", "kubelet-cgroups=", "runtime-cgroups="]}
# No flannel: its kernel modules may be absent. Nothing that would want images from the internet.
_SERVERS: dict[str, Any] = {
    "flannel-backend": "none",
    "disable-network-policy": True,
    "disable": ["coredns", "traefik", "metrics-server", "local-storage", "servicelb"],
}
_CNI = """\
{"cniVersion": "1.0.0", "name": "bridge", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.42.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
"""


def settings(fleet: Fleet, node: Node) -> dict[str, Any]:
    """The node's config.yaml: what this fleet needs, with K3S_CONFIG merged over it (lists are joined).

    :raises FleetError: when K3S_CONFIG cannot be read.
    """
    content: dict[str, Any] = {"token": fleet.token, "node-name": node.name, **_EVERYWHERE}
    first = fleet.servers[0]
    if node.role == "server":
        content.update(_SERVERS)
    if node.name != first.name:
        content["server"] = "https://%s:%s" % (first.name, _given().get("https-listen-port", 6443))
    elif len(fleet.servers) > 1:
        content["cluster-init"] = True
    for key, value in _given().items():
        name = key.rstrip("+")
        if node.role == "agent" and name not in AGENT_FLAGS:
            continue
        if isinstance(value, list) and isinstance(content.get(name), list):
            content[name] = content[name] + [item for item in value if item not in content[name]]
        else:
            content[name] = value
    return content


def _given() -> dict[str, Any]:
    path = os.environ.get("K3S_CONFIG", "")
    if not path:
        return {}
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise FleetError("K3S_CONFIG=%s cannot be read: %s" % (path, error)) from error
    if not isinstance(content, dict):
        raise FleetError("K3S_CONFIG=%s is no mapping" % path)
    return {str(key): value for key, value in content.items()}


def add_files(archive: Archive, fleet: Fleet, node: Node) -> None:
    """Configuration, network and the names that K3s' installer links; the binary follows by ``copy_binary``."""
    archive.file("etc/rancher/k3s/config.yaml", yaml.safe_dump(settings(fleet, node), sort_keys=False), 0o600)
    archive.file("etc/cni/net.d/10-bridge.conflist", _CNI)
    for name in ("bridge", "host-local", "loopback", "portmap"):
        archive.link("opt/cni/bin/" + name, "/usr/lib/cni/" + name)
    for name in ("kubectl", "crictl", "ctr"):
        archive.link("usr/local/bin/" + name, "k3s")


def copy_binary(fleet: Fleet, node: Node, source: Path) -> None:
    """A file becomes /usr/local/bin/k3s, a folder goes over the node's root."""
    name = fleet.container(node.name)
    if source.is_file():
        podman.podman("cp", "--archive=false", str(source), name + ":/usr/local/bin/k3s")
    else:
        podman.podman("cp", "--archive=false", "%s/." % source, name + ":/")


def start(fleet: Fleet) -> None:
    """Servers one after the other, as members join embedded etcd one at a time; then the agents together."""
    for node in fleet.servers:
        _start(fleet, node)
        nodes.wait_until_ready(fleet, 300.0, [node.name])
        say("%s is Ready" % node.name)
    for node in fleet.nodes:
        if node.role == "agent":
            _start(fleet, node)


def _start(fleet: Fleet, node: Node) -> None:
    service = fleet.service(node)
    script = (
        "chmod 0755 /usr/local/bin/k3s && systemctl daemon-reload"
        " && systemctl --quiet enable %s && systemctl start --no-block %s"
    )
    nodes.execute(fleet, node.name, ["sh", "-c", script % (service, service)])


def running_release(fleet: Fleet) -> str:
    """What the first server's `k3s --version` says."""
    words = nodes.execute(fleet, fleet.servers[0].name, ["k3s", "--version"]).stdout.split()
    return str(words[2]) if len(words) > 2 else "unknown"
