# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this node is: the fleet's own facts, and what K3s makes of its flags."""

from __future__ import annotations

import base64
import contextlib
import json
import os

from stand_in.flags import Flags

FACTS = "/etc/k3s-stand-in/node.json"
TLS = "/etc/k3s-stand-in/tls"
COMMIT = "80b11e87"
DEBIAN_S_CONTAINERD = "/usr/bin/containerd"
_SUPERVISOR_OF_RKE2 = 9345
_API = 6443

# https://github.com/k3s-io/k3s/blob/master/pkg/daemons/control/deps/deps.go
_KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster:
    server: {server}
    certificate-authority: {agent}/server-ca.crt
  name: local
contexts:
- context:
    cluster: local
    namespace: default
    user: user
  name: Default
current-context: Default
kind: Config
preferences: {{}}
users:
- name: user
  user:
    client-certificate: {agent}/client-kubelet.crt
    client-key: {agent}/client-kubelet.key
"""
# https://github.com/k3s-io/k3s/blob/master/pkg/clientaccess/kubeconfig.go
_ADMIN_KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {ca}
    server: {server}
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {{}}
users:
- name: default
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"""


class Node:
    """The facts the fleet wrote to ``FACTS``, the distribution's paths, and the flags of ``command``.

    :param command: `server`, `agent`, or nothing for the tools.

    :raises FlagError: where K3s would not start.
    """

    def __init__(self, command: str = "", arguments: list[str] | None = None) -> None:
        with open(FACTS, encoding="utf-8") as handle:
            facts = json.load(handle)
        self.program: str = facts["program"]
        self.release: str = facts["release"]
        self.name: str = facts["name"]
        self.address: str = facts["address"]
        self.servers: dict[str, str] = facts["servers"]
        self.token: str = facts["token"]
        self.grace_seconds: float = facts["grace_seconds"]
        self.containerd: str = facts.get("containerd", DEBIAN_S_CONTAINERD)
        self.flags = Flags(self.program, command, arguments or [], os.environ)
        self.is_server = command == "server"
        self.config_dir = "/etc/rancher/" + self.program
        self.data_dir = os.path.abspath(self.flags.text("data-dir", "/var/lib/rancher/" + self.program))
        self.agent_dir = self.data_dir + "/agent"
        # Neither follows the data-dir.
        self.registries_yaml = self.flags.text("private-registry", self.config_dir + "/registries.yaml")
        self.socket = "/run/k3s/containerd/containerd.sock"
        self.kubelet_kubeconfig = self.agent_dir + "/kubelet.kubeconfig"
        # Where kubectl looks; a link where `write-kubeconfig` names another place.
        self.admin_kubeconfig = "%s/%s.yaml" % (self.config_dir, self.program)

    @property
    def has_etcd(self) -> bool:
        """K3s uses SQLite for a lone server; RKE2 always runs etcd."""
        return self.is_server and (len(self.servers) > 1 or self.program == "rke2")

    @property
    def api_port(self) -> int:
        """Of a server: where kubectl finds the API. RKE2's cannot be changed."""
        return _API if self.program == "rke2" else self.flags.number("https-listen-port", _API)

    @property
    def supervisor_port(self) -> int:
        """Of a server: where nodes join, and where they find the embedded registry."""
        if self.program == "rke2":
            return _SUPERVISOR_OF_RKE2
        return self.flags.number("supervisor-port", 0) or self.api_port

    @property
    def joins_at(self) -> int:
        """Of an agent: the port in `server`, or the usual one."""
        place = self.flags.text("server").rpartition("//")[2].partition("/")[0]
        port = place.rpartition(":")[2]
        return int(port) if port.isdigit() else self.supervisor_port

    def etcd_name(self, server: str) -> str:
        """K3s invents the second half once; here every server has to know it of every other."""
        import hashlib  # only a server of a cluster needs it, and every command imports this file

        return "%s-%s" % (server, hashlib.sha256((self.token + server).encode()).hexdigest()[:8])

    def write_kubelet_kubeconfig(self, server: str) -> None:
        _write(self.kubelet_kubeconfig, _KUBECONFIG.format(server=server, agent=self.agent_dir))

    def write_admin_kubeconfig(self, server: str) -> None:
        def data(name: str) -> str:
            with open("%s/server/tls/%s" % (self.data_dir, name), "rb") as handle:
                return base64.b64encode(handle.read()).decode()

        text = _ADMIN_KUBECONFIG.format(
            server=server, ca=data("server-ca.crt"), certificate=data("client-admin.crt"), key=data("client-admin.key")
        )
        path = self.flags.text("write-kubeconfig", self.admin_kubeconfig)
        if os.path.islink(self.admin_kubeconfig):
            os.unlink(self.admin_kubeconfig)
        _write(path, text)
        if path != self.admin_kubeconfig:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.admin_kubeconfig)
            os.symlink(path, self.admin_kubeconfig)


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
