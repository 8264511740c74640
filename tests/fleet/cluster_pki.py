# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's own certificates for nodes with the stand-in, under the names that K3s has below its data-dir.

https://github.com/k3s-io/k3s/blob/master/pkg/daemons/control/deps/deps.go
"""

from __future__ import annotations

from pathlib import Path

from tests.fleet.certificates import Issued, authority, issue, load
from tests.fleet.state import Fleet, Node

_AUTHORITIES = ("server-ca", "client-ca", "etcd-server-ca", "etcd-peer-ca")


def make(folder: Path) -> None:
    """The authorities, which K3s' first server makes."""
    for name in _AUTHORITIES:
        authority("k3s " + name.replace("-", " ")).write(folder / ("cluster-" + name))


def of_node(fleet: Fleet, node: Node) -> dict[str, bytes]:
    """Paths below the data-dir, and what they hold."""
    authorities = {name: load(fleet.folder / "pki" / ("cluster-" + name)) for name in _AUTHORITIES}
    hosts = (node.name, node.address, "127.0.0.1", "::1", "localhost")
    program = fleet.distribution
    nodes_ca = authorities["client-ca"]
    issued = {
        # Without ::1, unlike a server's: pkg/server/handlers/handlers.go of k3s-io/k3s.
        "agent/serving-kubelet": issue(
            authorities["server-ca"], node.name, tuple(host for host in hosts if host != "::1")
        ),
        "agent/client-kubelet": _client(nodes_ca, "system:node:" + node.name, "system:nodes"),
        "agent/client-%s-controller" % program: _client(nodes_ca, "system:%s-controller" % program),
    }
    found = _authorities_of("agent", authorities)
    if node.role == "server":
        found.update(_authorities_of("server/tls", authorities))
        found["server/tls/etcd/server-ca.crt"] = authorities["etcd-server-ca"].pem
        found["server/tls/etcd/peer-ca.crt"] = authorities["etcd-peer-ca"].pem
        issued.update(_of_server(authorities, hosts))
    for stem, pair in issued.items():
        found[stem + ".crt"], found[stem + ".key"] = pair.pem, pair.key_pem
    return found


def _authorities_of(folder: str, authorities: dict[str, Issued]) -> dict[str, bytes]:
    return {"%s/%s.crt" % (folder, name): authorities[name].pem for name in ("server-ca", "client-ca")}


def _client(ca: Issued, name: str, group: str = "") -> Issued:
    return issue(ca, name, client=True, organization=group)


def _of_server(authorities: dict[str, Issued], hosts: tuple[str, ...]) -> dict[str, Issued]:
    etcd = authorities["etcd-server-ca"]
    return {
        "server/tls/serving-kube-apiserver": issue(authorities["server-ca"], "kube-apiserver", hosts),
        "server/tls/client-admin": _client(authorities["client-ca"], "system:admin", "system:masters"),
        "server/tls/etcd/client": _client(etcd, "etcd-client"),
        "server/tls/etcd/server-client": issue(etcd, "etcd-server", hosts, client=True),
        "server/tls/etcd/peer-server-client": issue(authorities["etcd-peer-ca"], "etcd-peer", hosts, client=True),
    }
