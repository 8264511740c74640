# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making nodes misbehave: faults of the stand-in, power cuts, cut networks."""

from __future__ import annotations

import json

from tests.fleet import events, nodes, podman
from tests.fleet.process import FleetError, say
from tests.fleet.state import Fleet

FAULTS = {
    "never-ready": "the start goes on for ever: a server's unit stays activating, an agent gets no kubelet",
    "ready-late": "ready-late:SECONDS, the start takes that much longer",
    "busy-start": "busy-start:SECONDS, the start takes that much more of a processor's time",
    "hang": "the process lives and does nothing at all",
    "crash-loop": "the process ends with an error half a second after each start",
    "containerd-down": "no containerd",
    "not-ready": "the kubelet posts Ready=False",
    "stale-heartbeat": "the kubelet posts nothing; Ready stays as it was until the grace period ends",
    "etcd-vote-lost": "EtcdIsVoter is False",
    "etcd-dead": "etcd is killed once the node is up; the API answers, and says that etcd has failed",
    "api-not-ready": "/readyz, /livez and /healthz say that a check has failed",
    "hosts-toml-differs": "what it writes to hosts.toml is not what K3s writes",
}
_PATH = "/etc/k3s-stand-in/faults.json"


def set_fault(fleet: Fleet, node: str, spec: str, mentions: str = "", once: bool = False) -> None:
    """Ask for ``spec`` (`never-ready`, `ready-late:90`, ... or `clear`) from the node's next start on.

    ``mentions``: only while registries.yaml contains that text; ``once``: for one start.
    """
    if fleet.k3s != "stand-in":
        raise FleetError("only the stand-in has faults to ask for; fleet %s runs a real K3s" % fleet.name)
    if spec == "clear":
        nodes.execute(fleet, node, ["rm", "-f", _PATH])
        return
    name, _unused, argument = spec.partition(":")
    if name not in FAULTS:
        raise FleetError(
            "no fault %r; there are:\n%s" % (name, "\n".join("  %-20s %s" % item for item in FAULTS.items()))
        )
    found = nodes.execute(fleet, node, ["cat", _PATH], check=False)
    entries = json.loads(found.stdout) if found.returncode == 0 else []
    entry: dict[str, object] = {"fault": name, "argument": argument}
    if mentions:
        entry["while"] = mentions
    if once:
        entry["once"] = True
    entries = [other for other in entries if other["fault"] != name] + [entry]
    nodes.execute(fleet, node, ["sh", "-c", "cat > " + _PATH], stdin=json.dumps(entries).encode())


def power_off(fleet: Fleet, node: str) -> None:
    """As if the plug were pulled: no process gets a signal that it could act on."""
    events.record_power(fleet, node, "power-off")
    podman.podman("kill", "--signal", "KILL", fleet.container(node))
    podman.podman("wait", fleet.container(node), check=False)


def power_on(fleet: Fleet, node: str) -> None:
    events.record_power(fleet, node, "power-on")
    podman.podman("start", fleet.container(node))
    if node != "registry":
        nodes.wait_for_ssh(fleet, only=node)


def cut(fleet: Fleet, node: str, everything: bool = False) -> None:
    """Cut the controller off: the node's answers to it vanish, open connections stay silent. The cluster's own traffic
    goes on, unless ``everything`` is cut."""
    if everything:
        nodes.execute(fleet, node, ["ip", "link", "set", "eth0", "down"])
    else:
        nodes.execute(fleet, node, ["ip", "route", "replace", "blackhole", _controller(fleet) + "/32"])
    say("%s is cut off" % node)


def heal(fleet: Fleet, node: str) -> None:
    nodes.execute(fleet, node, ["ip", "link", "set", "eth0", "up"])
    nodes.execute(fleet, node, ["ip", "route", "del", "blackhole", _controller(fleet) + "/32"], check=False)
    # The default route goes with the link.
    nodes.execute(fleet, node, ["ip", "route", "replace", "default", "via", _controller(fleet)])


def _controller(fleet: Fleet) -> str:
    return fleet.subnet.rpartition(".")[0] + ".1"
