# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster as a project of somebody else's has it in its inventory, and what its nodes tell afterwards."""

from __future__ import annotations

import copy
import json
import time
from typing import Any, Mapping

import yaml

from tests.fleet import events, nodes
from tests.fleet.state import Fleet
from tests.integration.cluster import Run

_LOADED = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d"
_LEASE = "k3sfleet-registries-rollout"
_CONFIG = "/etc/rancher/k3s/registries.yaml"


def _micro_time(moment: float) -> str:
    """As the API writes times; such texts sort as the times do."""
    whole = int(moment)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + ".%06dZ" % int((moment - whole) * 1e6)


class Members:
    """``prefix`` makes the inventory's names of the nodes' own: ``east-`` and ``agent-1``, ``east-agent-1``."""

    def __init__(self, fleet: Fleet, prefix: str = "") -> None:
        self.fleet = fleet
        self.prefix = prefix
        self.variables: dict[str, Any] = yaml.safe_load((fleet.folder / "registries.yml").read_text(encoding="utf-8"))
        given = yaml.safe_load((fleet.folder / "inventory.yml").read_text(encoding="utf-8"))
        self.connection: dict[str, Any] = given["k3s_cluster"]["vars"]

    def named(self, role: str = "") -> list[str]:
        """The inventory's names of the nodes with a role, or of all: the order of the inventory."""
        return [self.prefix + node.name for node in self.fleet.nodes if role in ("", node.role)]

    def with_mirror(self, *names: str) -> dict[str, Any]:
        """Variables that make a node restart which has other mirrors: ``mirrors.<name>`` beside what the fleet has."""
        config = copy.deepcopy(self.variables["k3s_registries"])
        for name in names:
            config["mirrors"][name] = {"endpoint": [self.fleet.registry.url]}
        return {**self.variables, "k3s_registries": config}

    def group(
        self,
        variables: Mapping[str, Any],
        hosts: Mapping[str, Mapping[str, Any]] | None = None,
        names: tuple[str, str] = ("server", "agent"),
    ) -> dict[str, Any]:
        """The cluster as a group of an inventory.

        :param variables: for all nodes.
        :param hosts: for single nodes, by the inventory's name.
        :param names: of the groups of servers and agents.
        """
        children: dict[str, Any] = {}
        for role, name in zip(("server", "agent"), names):
            children[name] = {"hosts": {}}
            for node in self.fleet.nodes:
                if node.role == role:
                    own = (hosts or {}).get(self.prefix + node.name, {})
                    children[name]["hosts"][self.prefix + node.name] = {"ansible_host": node.address, **own}
        return {"children": children, "vars": {**self.connection, **variables}}

    def inventory(self, variables: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """An inventory of this cluster alone."""
        return {"children": {"k3s_cluster": self.group(variables, **more)}}

    def sh(self, name: str, command: str) -> str:
        """What a shell command says, run as root on the node, past SSH."""
        return str(nodes.execute(self.fleet, name[len(self.prefix) :], ["sh", "-ec", command]).stdout)

    def everywhere(self, *mirrors: str) -> dict[str, set[str]]:
        """What :meth:`loaded` and :meth:`configured` say when every node has the same mirrors."""
        return {name: set(mirrors) for name in self.named()}

    def loaded(self) -> dict[str, set[str]]:
        """The mirrors that K3s has loaded, by node; the registry itself, which has a hosts.toml too, is none."""
        command = f"if test -d {_LOADED}; then find {_LOADED} -name hosts.toml; fi"
        itself = "%s:%d" % (self.fleet.registry.host, self.fleet.registry.port)
        found = {name: {line.split("/")[-2] for line in self.sh(name, command).split()} for name in self.named()}
        return {name: mirrors - {itself} for name, mirrors in found.items()}

    def configured(self) -> dict[str, set[str]]:
        """The mirrors of registries.yaml, by node; none where there is no file."""
        found = {}
        for name in self.named():
            text = self.sh(name, f"if test -e {_CONFIG}; then cat {_CONFIG}; fi")
            found[name] = set((yaml.safe_load(text) or {}).get("mirrors") or ())
        return found

    def restarts(self, since: float) -> dict[str, int]:
        report = events.report(self.fleet, since)
        return {self.prefix + name: len(node["absences"]) for name, node in report["nodes"].items()}

    def must_have_restarted_in_order(self, since: float) -> None:
        """Every node once, alone, the server first."""
        report = events.report(self.fleet, since)
        away = sorted((one["since"], name) for name, node in report["nodes"].items() for one in node["absences"])
        assert [self.prefix + name for _since, name in away] == self.named("server") + self.named("agent")
        assert report["overlapping"] == []

    def must_have_rolled_out(self, run: Run, *mirrors: str) -> None:
        """Every node has and has loaded these mirrors after one restart, alone, servers first, under the Lease."""
        wanted = self.everywhere("docker.io", *mirrors)
        assert self.configured() == wanted
        assert self.loaded() == wanted
        self.must_have_restarted_in_order(run.began)
        self.must_have_had_the_lease(run)

    def must_have_had_the_lease(self, run: Run) -> None:
        lease = self.lease()
        assert lease.get("renewTime", "") > _micro_time(run.began), lease
        assert not lease.get("holderIdentity"), lease

    def must_be_untouched(self, run: Run, loaded: Mapping[str, set[str]]) -> None:
        """Nothing has restarted since, and what was loaded is."""
        assert self.restarts(run.began) == dict.fromkeys(self.named(), 0)
        assert self.loaded() == loaded

    def lease(self) -> dict[str, Any]:
        """The spec of the cluster's Lease, empty when there is none."""
        text = self.sh(self.named("server")[0], "k3s kubectl -n kube-system get leases -o json")
        found = [item["spec"] for item in json.loads(text)["items"] if item["metadata"]["name"] == _LEASE]
        return dict(found[0]) if found else {}

    def lease_of_another_run(self, holder: str) -> None:
        """Give the Lease to ``holder`` for an hour; to nobody when it is empty."""
        now = _micro_time(time.time())
        spec = {"leaseDurationSeconds": 3600 if holder else 1, "acquireTime": now, "renewTime": now}
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": _LEASE, "namespace": "kube-system"},
            "spec": {**spec, "holderIdentity": holder} if holder else spec,
        }
        command = ["k3s", "kubectl", "-n", "kube-system", "replace" if self.lease() else "create", "-f", "-"]
        nodes.execute(self.fleet, self.fleet.servers[0].name, command, stdin=json.dumps(lease).encode())
