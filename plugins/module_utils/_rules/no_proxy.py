# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests go through a proxy, by the rules of Go's ``golang.org/x/net/http/httpproxy``.

Python's own rules differ: no addresses with a mask, no ports, and names of this machine go through the proxy.
"""

from __future__ import annotations

import ipaddress
from typing import Mapping

from .go_ip import is_localhost, split_host_port


def variable_of_containerd(environment: Mapping[str, str], name: str) -> str:
    """A variable of K3s' service as its containerd sees it, "" if it is not set.

    K3s hands on the one with the prefix ``CONTAINERD_`` if there is one (k3s-io/k3s pkg/agent/containerd).
    """
    upper = name.upper()
    for candidate in (f"CONTAINERD_{upper}", upper, upper.lower()):
        if environment.get(candidate):
            return str(environment[candidate])
    return ""


def proxy_of_containerd(environment: Mapping[str, str], scheme: str, host: str) -> str:
    """The proxy that containerd asks a host through, as the variable has it; "" if it goes straight.

    :param environment: of K3s' service.
    :param scheme: ``http`` or ``https``.
    :param host: ``host`` or ``host:port`` of an endpoint; one that cannot be asked at all goes straight.
    """
    proxy = variable_of_containerd(environment, f"{scheme}_PROXY")
    try:
        proxied = bool(proxy) and is_proxied(variable_of_containerd(environment, "NO_PROXY"), scheme, host)
    except ValueError:
        return ""
    return proxy if proxied else ""


def is_proxied(exceptions: str, scheme: str, host: str) -> bool:
    """Whether no entry of NO_PROXY fits; this machine is never asked through a proxy.

    :param exceptions: the value of NO_PROXY: names with their subdomains, addresses, networks, with or without a port.
    :raises ValueError: if the port of ``host`` is no number that a port can have.
    """
    name, port = host_and_port(host, scheme)
    if is_localhost(host):
        return False
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        address = None
    if address is not None and address.is_loopback:
        return False
    for entry in exceptions.lower().split(","):
        entry = entry.strip()
        if entry == "*" or (entry and _fits(entry, name, port, address)):
            return False
    return True


def _fits(entry: str, name: str, port: int, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    if "/" in entry:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
        return address is not None and address in network
    split = split_host_port(entry)
    wanted, wanted_port = split if split is not None else (entry.strip("[]"), "")
    if wanted_port and wanted_port != str(port):
        return False
    try:
        return ipaddress.ip_address(wanted) == address
    except ValueError:
        pass
    if wanted.startswith("*."):
        wanted = wanted[1:]
    if wanted.startswith("."):
        return name.endswith(wanted)
    return name == wanted or name.endswith("." + wanted)


def host_and_port(host: str, scheme: str) -> tuple[str, int]:
    """The name or address (without brackets, in lower case) and the port that a ``host[:port]`` of a URL stands for.

    :raises ValueError: if the port is no number that a port can have.
    """
    split = split_host_port(host)
    name, port = split if split is not None else (host, "")
    number = int(port) if port else 443 if scheme == "https" else 80
    if not 0 < number < 65536:
        raise ValueError(f"port {number} does not exist")
    return name.strip("[]").lower(), number
