# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server tells every node that asks it, itself included: `/v1-k3s/config`.

Whether there is an embedded registry, and where, is in it and nowhere else: K3s takes the port of the server's
supervisor, and of the loopback addresses the one of the first service-cidr's family.
https://github.com/k3s-io/k3s/blob/master/pkg/agent/config/config.go, pkg/daemons/config/types.go (Loopback)
"""

from __future__ import annotations

import base64
import ipaddress
from typing import Any, NamedTuple

from stand_in.flags import FlagError
from stand_in.node import Node


class Told(NamedTuple):
    embedded_registry: bool
    supervisor_port: int
    loopback: str

    @property
    def mirror(self) -> str:
        """The embedded registry's host and port, "" where it is off."""
        if not self.embedded_registry:
            return ""
        return joined(self.loopback, self.supervisor_port)


def joined(host: str, port: int) -> str:
    """Go's net.JoinHostPort."""
    return "%s:%d" % ("[%s]" % host if ":" in host else host, port)


def service_network(node: Node) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The first service-cidr; without one, of the family of the node's first address.

    :raises FlagError: for what is no network.
    """
    given = node.flags.items("service-cidr")
    if given:
        try:
            return ipaddress.ip_network(given[0], strict=False)
        except ValueError:
            raise FlagError("invalid service-cidr %s: invalid CIDR address: %s" % (given[0], given[0])) from None
    first = (node.flags.items("node-ip") or [node.address])[0]
    return ipaddress.ip_network("fd00:43::/112" if ":" in first else "10.43.0.0/16")


def loopback(node: Node) -> str:
    return "::1" if service_network(node).version == 6 else "127.0.0.1"


def answer(node: Node) -> dict[str, Any]:
    """A server's answer, in K3s' words; networks as Go's JSON has them."""
    network = service_network(node)
    return {
        "EmbeddedRegistry": node.flags.true("embedded-registry"),
        "SupervisorPort": node.supervisor_port,
        "HTTPSPort": node.api_port,
        "ServiceIPRange": {
            "IP": str(network.network_address),
            "Mask": base64.b64encode(network.netmask.packed).decode(),
        },
    }


def read(content: dict[str, Any]) -> Told:
    family = ipaddress.ip_address(content["ServiceIPRange"]["IP"]).version
    return Told(content["EmbeddedRegistry"], content["SupervisorPort"], "::1" if family == 6 else "127.0.0.1")
