# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet's folder, `.cache/fleets/NAME`, and what fleet.json says."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.fleet.certificates import write_private
from tests.fleet.podman import CHECKOUT
from tests.fleet.process import FleetError

FLEETS = CHECKOUT / ".cache" / "fleets"
REGISTRY_HOST = "registry.k3sfleet.test"
REGISTRY_PORT = 5000
USER = "fleet"


@dataclass
class Node:
    name: str
    role: str
    address: str


@dataclass
class Registry:
    host: str
    port: int
    address: str
    username: str
    password: str
    images: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return "https://%s:%d" % (self.host, self.port)


@dataclass
class Fleet:
    """What is known of one fleet. ``k3s`` is `stand-in` or `real`."""

    name: str
    distribution: str
    k3s: str
    release: str
    subnet: str
    token: str
    grace_seconds: int
    registry: Registry
    nodes: list[Node] = field(default_factory=list)
    init: str = "systemd"
    """`systemd` or `openrc`: what starts the nodes' services."""
    containerd: str = ""
    """The version of the containerd that the stand-in runs, "" for Debian's."""
    suite: str = "bookworm"
    """The release of Debian that the nodes are made from."""

    @property
    def folder(self) -> Path:
        return FLEETS / self.name

    def container(self, node: str) -> str:
        return "%s-%s" % (self.name, node)

    def node(self, name: str) -> Node:
        """:raises FleetError: for a name that is no node of this fleet."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise FleetError(
            "fleet %s has no node %s; it has %s" % (self.name, name, ", ".join(n.name for n in self.nodes))
        )

    @property
    def servers(self) -> list[Node]:
        return [node for node in self.nodes if node.role == "server"]

    def service(self, node: Node) -> str:
        if self.distribution == "rke2":
            return "rke2-" + node.role
        return "k3s" if node.role == "server" else "k3s-agent"

    @property
    def data_dir(self) -> str:
        return "/var/lib/rancher/" + self.distribution

    @property
    def config_dir(self) -> str:
        return "/etc/rancher/" + self.distribution

    def save(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = asdict(self)
        content["registry"]["url"] = self.registry.url
        content["registry"]["log"] = str(self.folder / "registry" / "registry.log")
        content["registry"]["pki"] = str(self.folder / "pki")
        content["inventory"] = str(self.folder / "inventory.yml")
        content["data_dir"] = self.data_dir
        content["config_dir"] = self.config_dir
        for node in content["nodes"]:
            node["container"] = self.container(node["name"])
            node["service"] = self.service(self.node(node["name"]))
        write_private(self.folder / "fleet.json", (json.dumps(content, indent=2) + "\n").encode())


def check_name(name: str) -> str:
    if not re.match(r"^[a-z][a-z0-9]{0,20}$", name):
        raise FleetError("%r: a fleet's name is up to 21 lower-case letters and digits" % name)
    return name


def load(name: str) -> Fleet:
    """:raises FleetError: when there is no such fleet."""
    path = FLEETS / check_name(name) / "fleet.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FleetError("there is no fleet %s; `python -m tests.fleet up %s` makes it" % (name, name)) from None
    registry = {key: content["registry"][key] for key in ("host", "port", "address", "username", "password", "images")}
    nodes = [Node(node["name"], node["role"], node["address"]) for node in content["nodes"]]
    known = (
        "name",
        "distribution",
        "k3s",
        "release",
        "subnet",
        "token",
        "grace_seconds",
        "init",
        "containerd",
        "suite",
    )
    return Fleet(**{key: content[key] for key in known if key in content}, registry=Registry(**registry), nodes=nodes)
