# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this node is: the fleet's own facts and the settings that K3s reads from its config files."""

from __future__ import annotations

import glob
import hashlib
import hmac
import json
import os
from typing import Any

FACTS = "/etc/k3s-stand-in/node.json"
TLS = "/etc/k3s-stand-in/tls"
COMMIT = "80b11e87"


class Node:
    """The facts the fleet wrote to ``FACTS``, and the distribution's paths."""

    def __init__(self) -> None:
        with open(FACTS, encoding="utf-8") as handle:
            facts = json.load(handle)
        self.program: str = facts["program"]
        self.release: str = facts["release"]
        self.name: str = facts["name"]
        self.role: str = facts["role"]
        self.address: str = facts["address"]
        self.servers: dict[str, str] = facts["servers"]
        self.token: str = facts["token"]
        self.grace_seconds: float = facts["grace_seconds"]
        self.config_dir = "/etc/rancher/" + self.program
        self.data_dir = "/var/lib/rancher/" + self.program
        self.agent_dir = self.data_dir + "/agent"
        self.socket = "/run/k3s/containerd/containerd.sock"
        self.kubelet_kubeconfig = self.agent_dir + "/kubelet.kubeconfig"
        self.admin_kubeconfig = "%s/%s.yaml" % (self.config_dir, self.program)

    @property
    def is_server(self) -> bool:
        return self.role == "server"

    @property
    def has_etcd(self) -> bool:
        """K3s uses SQLite for a lone server; RKE2 always runs etcd."""
        return self.is_server and (len(self.servers) > 1 or self.program == "rke2")

    @property
    def agent_service(self) -> str:
        """Where this node's kubelet finds an API: its own, or the agent's client load balancer."""
        return "https://127.0.0.1:%d" % (6443 if self.is_server else 6444)

    def credential(self, user: str) -> str:
        """A bearer token that every server of the cluster recognises as ``user``."""
        return "%s/%s" % (user, hmac.new(self.token.encode(), user.encode(), hashlib.sha256).hexdigest())

    def user_of(self, credential: str) -> str:
        """The user a bearer token stands for, "" for none."""
        user = credential.rpartition("/")[0]
        return user if user and hmac.compare_digest(self.credential(user), credential) else ""

    def write_kubeconfig(self, path: str, server: str, user: str) -> None:
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": {"server": server, "certificate-authority": TLS + "/ca.crt"}}],
            "contexts": [{"name": "Default", "context": {"cluster": "local", "user": "user"}}],
            "current-context": "Default",
            "users": [{"name": "user", "user": {"token": self.credential(user)}}],
        }
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as handle:
            json.dump(content, handle, indent=2)


def settings(config_dir: str, arguments: list[str]) -> dict[str, Any]:
    """K3s' flags: config.yaml, then config.yaml.d/*.yaml in order of name (later wins, `key+` appends), then the
    command line. https://docs.k3s.io/installation/configuration#configuration-file

    :raises YAMLError: for a file that is not YAML.
    """
    from stand_in import go_yaml

    result: dict[str, Any] = {}
    drop_ins = sorted(glob.glob(config_dir + "/config.yaml.d/*.yaml") + glob.glob(config_dir + "/config.yaml.d/*.yml"))
    for path in [config_dir + "/config.yaml", *drop_ins]:
        try:
            with open(path, "rb") as handle:
                content = go_yaml.plain(handle.read()) or {}
        except FileNotFoundError:
            continue
        if not isinstance(content, dict):
            raise go_yaml.YAMLError("yaml: unmarshal errors:\n  line 1: cannot unmarshal into yaml.MapSlice")
        for key, value in content.items():
            name = str(key)
            if name.endswith("+"):
                old = result.get(name[:-1], [])
                result[name[:-1]] = (old if isinstance(old, list) else [old]) + (
                    value if isinstance(value, list) else [value]
                )
            else:
                result[name] = value
    position = 0
    while position < len(arguments):
        flag, mark, value = arguments[position].lstrip("-").partition("=")
        following = arguments[position + 1] if position + 1 < len(arguments) else "--"
        if not mark and not following.startswith("-"):
            value, mark = following, "="
            position += 1
        result[flag] = value if mark else True
        position += 1
    return result


def is_true(value: Any) -> bool:
    return value is True or str(value).lower() in ("true", "1", "t")
