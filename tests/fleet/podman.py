# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few podman calls that the fleet makes. Everything it creates carries two labels: fleet and checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.fleet.process import FleetError, run

CHECKOUT = Path(__file__).resolve().parents[2]
FLEET_LABEL = "k3sfleet.fleet"
CHECKOUT_LABEL = "k3sfleet.checkout"


def podman(*arguments: str, stdin: bytes | None = None, check: bool = True, timeout: float = 300.0) -> Any:
    """Run podman with runc as its runtime: crun refuses hybrid cgroups."""
    return run(["podman", "--runtime", "runc", *arguments], stdin, check, timeout)


def labels(fleet: str) -> list[str]:
    return ["--label", "%s=%s" % (FLEET_LABEL, fleet), "--label", "%s=%s" % (CHECKOUT_LABEL, CHECKOUT)]


def address_options(fleet: str, address: str) -> list[str]:
    """Address and a hardware address of its own: one that changed at each start would stay in the neighbours' ARP
    tables, and a registry that came back would not be found for half a minute."""
    mac = "02:4b:33:%s" % ":".join("%02x" % int(part) for part in address.split(".")[1:])
    return ["--network", fleet, "--ip", address, "--mac-address", mac, "--no-hosts", "--dns", "127.0.0.1"]


def _ours(found: str, fleet: str = "") -> list[dict[str, Any]]:
    """Of podman's JSON list, what carries this checkout's label, and the fleet's. Picked here and not by --filter:
    several label filters mean "all of them" for containers and "any of them" for volumes."""
    items = json.loads(found or "[]") or []
    ours = [item for item in items if (item.get("Labels") or {}).get(CHECKOUT_LABEL) == str(CHECKOUT)]
    return [item for item in ours if not fleet or item["Labels"].get(FLEET_LABEL) == fleet]


def refuse_what_others_have(fleet: str) -> None:
    """Refuse a fleet's name of which podman has anything that this checkout has not made.

    :raises FleetError: with what there is, and how it goes away. Where somebody has removed a fleet's containers alone,
        its volumes and its network stay, and make no sign of themselves.
    """
    found = {
        "container": json.loads(podman("ps", "--all", "--format", "json").stdout or "[]"),
        "volume": json.loads(podman("volume", "ls", "--format", "json").stdout or "[]"),
        "network": json.loads(podman("network", "ls", "--format", "json").stdout or "[]"),
    }
    left: dict[str, list[str]] = {}
    checkouts = set()
    for kind, items in found.items():
        for item in items or []:
            labels_, name = item.get("Labels") or item.get("labels") or {}, _name_of(item)
            mine = labels_.get(CHECKOUT_LABEL) == str(CHECKOUT)
            if not mine and (labels_.get(FLEET_LABEL) == fleet or (kind == "network" and name == fleet)):
                left.setdefault(kind, []).append(name)
                checkouts.add(labels_.get(CHECKOUT_LABEL) or "somebody else")
    if left:
        raise FleetError(_what_others_have(fleet, left, ", ".join(sorted(checkouts))))


def _name_of(item: dict[str, Any]) -> str:
    names = item.get("Names")
    return str(names[0] if names else item.get("Name") or item.get("name"))


def _what_others_have(fleet: str, left: dict[str, list[str]], checkouts: str) -> str:
    if "container" in left:
        return "fleet %s is another checkout's (%s): `python -m tests.fleet down %s` there, or use another name" % (
            fleet, checkouts, fleet
        )  # fmt: skip
    kinds = [kind for kind in ("volume", "network") if kind in left]
    return "podman has no containers of fleet %s (%s), but still its %s. To remove them: %s. Or use another name" % (
        fleet,
        checkouts,
        " and ".join("%s %s" % (kind + "s" * (len(left[kind]) > 1), ", ".join(left[kind])) for kind in kinds),
        " && ".join("podman %s rm %s" % (kind, " ".join(left[kind])) for kind in kinds),
    )


def containers(fleet: str) -> dict[str, str]:
    """Name and state of the fleet's containers."""
    found = _ours(podman("ps", "--all", "--format", "json").stdout, fleet)
    return {item["Names"][0]: item["State"] for item in found}


def volumes(fleet: str) -> list[str]:
    return [item["Name"] for item in _ours(podman("volume", "ls", "--format", "json").stdout, fleet)]


def network_exists(name: str) -> bool:
    return bool(podman("network", "exists", name, check=False).returncode == 0)


def create_network(fleet: str) -> str:
    """Create the fleet's network and return its subnet, `10.89.3.0/24`.

    Without podman's DNS: the nodes find each other in /etc/hosts, and no name of the outside resolves, so that what
    a node pulls came through the fleet's registry.
    """
    if not network_exists(fleet):
        podman("network", "create", "--disable-dns", *labels(fleet), fleet)
    content = json.loads(podman("network", "inspect", fleet).stdout)[0]
    return str(content["subnets"][0]["subnet"])


def remove(fleet: str) -> int:
    """Remove the fleet's containers, volumes and network, as far as this checkout has made them; returns how many
    containers there were."""
    found = containers(fleet)
    if found:
        podman("rm", "--force", "--time", "0", "--volumes", *found)
    left = volumes(fleet)
    if left:
        podman("volume", "rm", *left)
    if network_exists(fleet):
        content = json.loads(podman("network", "inspect", fleet).stdout)[0]
        if content.get("labels", {}).get(CHECKOUT_LABEL) == str(CHECKOUT):
            podman("network", "rm", fleet)
    return len(found)


def fleets() -> list[str]:
    """Names of this checkout's fleets of which podman has anything."""
    listed = (("ps", "--all"), ("volume", "ls"))
    found = [item for words in listed for item in _ours(podman(*words, "--format", "json").stdout)]
    return sorted({item["Labels"][FLEET_LABEL] for item in found})
