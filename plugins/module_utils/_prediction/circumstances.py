# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's prediction depends on beside registries.yaml: its settings, its release, its embedded registry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Iterable, Mapping, NamedTuple

if TYPE_CHECKING:
    from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.settings import Settings

_SUPERVISOR_PORTS = {"k3s": 6443, "rke2": 9345}
_LOOPBACKS = ("127.0.0.1", "[::1]")
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|\[::1\]):[0-9]{1,5}\Z")
_CONTROLLERS_CERTIFICATE = re.compile(r"/client-(?:k3s|rke2)-controller\.crt\Z")


class Circumstances(NamedTuple):
    """``embedded`` are the addresses that K3s' embedded registry may have on this node, "" for off; ``release`` is ""
    when it is not known, which counts as a current one. ``comes_on`` is set if the embedded registry is to come on at
    an address that only the node's server knows."""

    distribution: str
    agent_dir: str
    release: str
    default_endpoint: bool
    embedded: tuple[str, ...]
    comes_on: bool = False

    @property
    def embedded_tls(self) -> dict[str, str]:
        """The cluster's own certificates, with which K3s has containerd reach the embedded registry."""
        return embedded_tls(self.agent_dir, self.distribution)


def circumstances(
    settings: Settings,
    role: str,
    distribution: str,
    agent_dir: str,
    release: str,
    hosts: Mapping[str, str],
    embedded_wanted: bool | None = None,
    embedded_told: str | None = None,
) -> Circumstances:
    """Those of a node.

    :param settings: K3s' own, as they will be at its next start.
    :param hosts: what it generated at its last one: hosts.toml texts by registry.
    :param embedded_wanted: what this run sets the embedded registry to, None if it leaves it alone.
    :param embedded_told: the address that the cluster's servers use ("" for off), None if nobody told.
    """
    comes_on = False
    if role == "server":
        embedded = server_addresses(settings, distribution)
        embedded = (embedded_told,) if embedded_told in embedded else embedded
    elif embedded_told is not None:
        embedded = (embedded_told,)
    else:
        # An agent is told by its server at its start, so what it generated then says how it was told.
        generated = generated_address(hosts, agent_dir, distribution)
        comes_on = bool(embedded_wanted) and not generated
        embedded = ("",) if embedded_wanted is False else (generated,)
    default_endpoint = not settings.flag("disable-default-registry-endpoint")
    return Circumstances(distribution, agent_dir, release, default_endpoint, embedded, comes_on)


def server_addresses(settings: Settings, distribution: str) -> tuple[str, ...]:
    """Where a server has its embedded registry: on the supervisor's port and on loopback of the cluster's family.

    Source: ``RegistryPort`` and ``InternalAddress`` in ``pkg/agent/config/config.go`` of k3s-io/k3s, ``Loopback`` in
    ``pkg/daemons/config/types.go``. RKE2's supervisor listens on 9345.
    """
    if not settings.flag("embedded-registry"):
        return ("",)
    port = supervisor_port(settings, distribution)
    # The first service range decides, and if none is set, the node's first address.
    family = settings.first("service-cidr") or settings.first("node-ip")
    hosts = ("[::1]",) if ":" in family else ("127.0.0.1",) if family else _LOOPBACKS
    return tuple("%s:%s" % (host, port) for host in hosts)


def supervisor_port(settings: Settings, distribution: str) -> Any:
    """Where a server's supervisor listens. K3s' shares a port with the API if nothing else is set; RKE2's is fixed."""
    if distribution == "rke2":
        return _SUPERVISOR_PORTS["rke2"]
    return settings.value("supervisor-port") or settings.value("https-listen-port") or _SUPERVISOR_PORTS[distribution]


def usual_address(distribution: str) -> str:
    """Where the embedded registry is, if it is on and nothing else is set."""
    return "127.0.0.1:%d" % _SUPERVISOR_PORTS[distribution]


def usual_addresses() -> frozenset[str]:
    """Where it is, if it is on, nothing else is set, and neither distribution nor family is known."""
    return frozenset("%s:%d" % (host, port) for host in _LOOPBACKS for port in _SUPERVISOR_PORTS.values())


def on_loopback(host: str) -> bool:
    """Whether ``host`` (``host:port``) is one that the embedded registry may have."""
    return bool(_LOOPBACK.match(host))


def is_embedded(host: str, client_certificates: Iterable[str]) -> bool:
    """Whether a host of a hosts.toml is the embedded registry, whatever its port: it is on loopback, and shown the
    certificate of K3s' own controller, which K3s uses for nothing else there.

    :param client_certificates: the paths that the hosts.toml names for that host.
    """
    return on_loopback(host) and any(_CONTROLLERS_CERTIFICATE.search(path) for path in client_certificates)


def generated_address(hosts: Mapping[str, str], agent_dir: str, distribution: str) -> str:
    """The embedded registry's address in what K3s generated, "" if it was off.

    K3s writes a hosts.toml for the embedded registry itself, with the cluster's own client certificate. A mirror on
    loopback that somebody has configured has neither.
    """
    certificate = embedded_tls(agent_dir, distribution)["cert_file"]
    for host, text in hosts.items():
        if on_loopback(host) and certificate in text:
            return host
    return ""


def embedded_tls(agent_dir: str, distribution: str) -> dict[str, str]:
    stem = "%s/client-%s-controller" % (agent_dir, distribution)
    return {"ca_file": agent_dir + "/server-ca.crt", "cert_file": stem + ".crt", "key_file": stem + ".key"}
