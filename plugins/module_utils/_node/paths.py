# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a distribution keeps its files, and under which names it runs."""

from __future__ import annotations

import os
from dataclasses import dataclass

MARKER = "# Managed by the Ansible collection k3sfleet.registries. Changes made here are overwritten."
"""First line of every text file the collection writes; only files that carry it are ever removed."""

DROP_IN_NAME = "90-k3sfleet-registries.yaml"

CREDENTIAL_STORE_NAME = "credential-store.json"

PROVIDER_CONFIG = "/var/lib/rancher/credentialprovider/config.yaml"
PROVIDER_BIN_DIR = "/var/lib/rancher/credentialprovider/bin"
"""Where K3s and RKE2 look for the kubelet's credential providers. Neither follows --data-dir."""


class Unsafe(ValueError):
    """A path or name that must not be used on a node."""


@dataclass(frozen=True)
class NodePaths:
    """The places of one node. Every path is absolute.

    K3s and RKE2 read ``<config_dir>/registries.yaml`` and ``<config_dir>/config.yaml.d/*.yaml``, unless they are told
    otherwise, and write what containerd reads below ``<data_dir>/agent/etc/containerd``. ``config_file`` and
    ``kubeconfig`` are their config.yaml and the administrator's kubeconfig, "" for the usual places.
    ``provider_config`` and ``provider_bin_dir`` are where the kubelet has its credential providers.
    """

    distribution: str
    node_role: str
    service: str
    config_dir: str
    data_dir: str
    cert_dir: str
    registries_yaml: str
    config_file: str = ""
    kubeconfig: str = ""
    provider_config: str = PROVIDER_CONFIG
    provider_bin_dir: str = PROVIDER_BIN_DIR

    @property
    def state_dir(self) -> str:
        """Root-only folder with the candidate, the generations and the record of what is in place."""
        return os.path.join(self.config_dir, "k3sfleet")

    @property
    def credential_store(self) -> str:
        """The credentials that the kubelet is given by the collection's own provider."""
        return os.path.join(self.state_dir, CREDENTIAL_STORE_NAME)

    @property
    def drop_in(self) -> str:
        main = self.config_file or os.path.join(self.config_dir, "config.yaml")
        return os.path.join(main + ".d", DROP_IN_NAME)

    @property
    def agent_dir(self) -> str:
        return os.path.join(self.data_dir, "agent")

    @property
    def certs_d(self) -> str:
        """Where the distribution writes one ``hosts.toml`` per registry at every start."""
        return os.path.join(self.agent_dir, "etc", "containerd", "certs.d")

    @property
    def containerd_config(self) -> str:
        return os.path.join(self.agent_dir, "etc", "containerd", "config.toml")

    @property
    def containerd_log(self) -> str:
        return os.path.join(self.agent_dir, "containerd", "containerd.log")

    @property
    def kubelet_kubeconfig(self) -> str:
        """A kubelet may read its own Node and Lease with it, on servers and on agents."""
        return os.path.join(self.agent_dir, "kubelet.kubeconfig")

    @property
    def admin_kubeconfig(self) -> str:
        """The administrator's kubeconfig, for people (``--write-kubeconfig`` moves it); if that is not there, the
        one that every server keeps for itself."""
        for_people = self.kubeconfig or os.path.join("/etc/rancher", self.distribution, self.distribution + ".yaml")
        own = os.path.join(self.data_dir, "server", "cred", "admin.kubeconfig")
        return own if os.path.exists(own) and not os.path.exists(for_people) else for_people

    def program(self, name: str) -> list[str]:
        """The command line that runs ``name`` (``kubectl`` or ``crictl``) of this distribution."""
        if self.distribution == "rke2":
            return [os.path.join(self.data_dir, "bin", name)]
        return [self.binary, name]

    @property
    def binary(self) -> str:
        """The distribution's own binary: K3s' installer uses /usr/local/bin, or /opt/bin if that is read-only."""
        return next((path for path in self.binaries if os.access(path, os.X_OK)), self.binaries[0])

    @property
    def binaries(self) -> list[str]:
        """Where the binary may be, in the order in which it is looked for."""
        places = ("/usr/local/bin", "/opt/bin", "/opt/rke2/bin", "/usr/bin")
        return [os.path.join(place, self.distribution) for place in places]

    @property
    def program_environment(self) -> dict[str, str]:
        """What RKE2's separate ``crictl`` needs to find containerd; K3s' own knows."""
        if self.distribution == "rke2":
            return {"CRI_CONFIG_FILE": os.path.join(self.agent_dir, "etc", "crictl.yaml")}
        return {}


def node_paths(
    distribution: str = "k3s",
    node_role: str = "agent",
    service: str = "",
    config_dir: str = "",
    data_dir: str = "",
    cert_dir: str = "",
    registries_yaml: str = "",
    config_file: str = "",
    kubeconfig: str = "",
    provider_config: str = "",
    provider_bin_dir: str = "",
) -> NodePaths:
    """The paths of a node; an empty argument means the distribution's default.

    :raises Unsafe: for a path that is not absolute.
    """
    if not service:
        service = {
            ("k3s", "server"): "k3s",
            ("k3s", "agent"): "k3s-agent",
            ("rke2", "server"): "rke2-server",
            ("rke2", "agent"): "rke2-agent",
        }[(distribution, node_role)]
    config_dir = config_dir or "/etc/rancher/" + distribution
    data_dir = data_dir or "/var/lib/rancher/" + distribution
    cert_dir = cert_dir or os.path.join(config_dir, "registry-certs")
    # The file does not follow --data-dir: K3s' --private-registry is a path of its own.
    registries_yaml = registries_yaml or os.path.join(config_dir, "registries.yaml")
    for path in (config_dir, data_dir, cert_dir, registries_yaml):
        if not os.path.isabs(path) or os.path.normpath(path) == "/":
            raise Unsafe("%s: an absolute path below / is needed" % path)
    return NodePaths(
        distribution, node_role, service, config_dir, data_dir, cert_dir, registries_yaml, config_file, kubeconfig,
        provider_config or PROVIDER_CONFIG, provider_bin_dir or PROVIDER_BIN_DIR,
    )  # fmt: skip
