# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.fleet.smoke [FLEET]`: does the stand-in misbehave as a real K3s does?

The collection's tests trust the fleet, so the fleet is tried first: three servers and an agent, with each fault.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from typing import Any, Callable

from tests.fleet import access_log, events, faults, nodes, questions, registry, shapes, state, up
from tests.fleet.process import FleetError, say

GRACE = 12
MALFORMED = b"mirrors:\n  docker.io: x: y\n"
CHECKS: list[Callable[[Cluster], None]] = []


def check(function: Callable[[Cluster], None]) -> Callable[[Cluster], None]:
    CHECKS.append(function)
    return function


class Cluster:
    """The fleet under test, with the few questions that the checks ask."""

    def __init__(self, fleet: state.Fleet) -> None:
        self.fleet = fleet

    def run(self, node: str, *words: str, stdin: bytes | None = None) -> Any:
        return nodes.execute(self.fleet, node, list(words), check=False, stdin=stdin)

    def service(self, node: str) -> str:
        return self.fleet.service(self.fleet.node(node))

    def restart(self, node: str) -> float:
        """Ask for a restart without waiting; returns when it was asked for."""
        now = time.time()
        self.run(node, "systemctl", "reset-failed", self.service(node))
        self.run(node, "systemctl", "restart", "--no-block", self.service(node))
        return now

    def unit(self, node: str) -> str:
        return str(
            self.run(node, "systemctl", "show", "--property=ActiveState", "--value", self.service(node)).stdout.strip()
        )

    def journal(self, node: str, since: float) -> str:
        return str(self.run(node, "journalctl", "-o", "cat", "-u", self.service(node), "--since", "@%d" % since).stdout)

    def said(self, node: str, since: float, line: str) -> bool:
        return line in self.journal(node, since)

    def ask(self, node: str, path: str, through: str = "server-1", certificate: str = "admin") -> str:
        """What ``node``'s port answers ``through``; ``node`` empty: on its loopback."""
        return questions.ask(self.fleet, through, node, path, certificate)

    def etcd(self, node: str, certificate: str = "client") -> str:
        return questions.ask_etcd(self.fleet, "server-1", node, certificate)

    def members(self, through: str) -> set[str]:
        """etcd's members, from loopback without a certificate."""
        content = json.loads(self.ask("", "/db/info", through, "").partition(" ")[2])
        return {member["name"] for member in content["members"]}

    def listed(self) -> set[str]:
        """The servers in the endpoints of default/kubernetes."""
        content = json.loads(self.ask("", "/api/v1/namespaces/default/endpoints/kubernetes").partition(" ")[2])
        found = {place["ip"] for subset in content["subsets"] for place in subset["addresses"]}
        return {node.name for node in self.fleet.servers if node.address in found}

    def condition(self, node: str, kind: str, through: str = "server-1") -> str:
        answer = self.run(through, "k3s", "kubectl", "get", "node", node, "-o", "json")
        if answer.returncode:
            return "no answer"
        conditions = {c["type"]: c["status"] for c in json.loads(answer.stdout)["status"]["conditions"]}
        return str(conditions.get(kind, "absent"))

    def configure(self, node: str, text: bytes) -> None:
        self.run(node, "sh", "-c", "cat > /etc/rancher/k3s/registries.yaml", stdin=text)

    def until(self, what: str, truth: Callable[[], bool], patience: float = 40.0) -> None:
        deadline = time.monotonic() + patience
        while not truth():
            if time.monotonic() > deadline:
                raise AssertionError("not within %d s: %s" % (patience, what))
            time.sleep(0.3)

    def until_ready(self, node: str) -> None:
        through = "server-1" if node != "server-1" else "server-2"
        self.until(node + " Ready", lambda: self.condition(node, "Ready", through) == "True")
        self.until(node + " active", lambda: self.unit(node) == "active")


@check
def malformed_file_hangs_server_and_agent_and_heals_without_restart(cluster: Cluster) -> None:
    line = "server is not ready: yaml: line 2: mapping values are not allowed in this context"
    for node in ("server-2", "agent-1"):
        cluster.configure(node, MALFORMED)
        since = cluster.restart(node)
        cluster.until("the line that says why", functools.partial(cluster.said, node, since, line))
    # Type=notify on both, as K3s' installer has it: neither unit turns active, and neither is restarted.
    assert cluster.unit("server-2") == "activating"
    assert cluster.unit("agent-1") == "activating"
    assert "ServiceUnavailable" in cluster.run("server-2", "k3s", "kubectl", "get", "nodes").stderr
    assert cluster.ask("server-2", "/ping") == "200 pong"
    assert cluster.ask("server-2", "/readyz").startswith("503 ")
    assert "apiserver not ready" in cluster.ask("server-2", "/readyz")
    # K3s starts etcd after its agent part, so this server has no vote until it can read its file.
    assert cluster.etcd("server-2") != "200"
    assert "etcd not started" in cluster.ask("", "/db/info", "server-2", "")
    cluster.until("NotReady after the grace period", lambda: cluster.condition("agent-1", "Ready") == "Unknown")
    for node in ("server-2", "agent-1"):
        cluster.run(node, "rm", "/etc/rancher/k3s/registries.yaml")
        cluster.until_ready(node)
    restarts = cluster.run("server-2", "systemctl", "show", "--property=NRestarts", "--value", "k3s").stdout.strip()
    assert restarts == "0"


@check
def each_fault_shows_and_clears(cluster: Cluster) -> None:
    signs: dict[str, Callable[[], bool]] = {
        "never-ready": lambda: cluster.unit("server-3") == "activating",
        "hang": lambda: cluster.unit("server-3") == "activating",
        "crash-loop": lambda: "level=fatal" in cluster.journal("server-3", since),
        "etcd-vote-lost": lambda: cluster.condition("server-3", "EtcdIsVoter") == "False",
        "not-ready": lambda: cluster.condition("server-3", "Ready") == "False",
        "stale-heartbeat": lambda: cluster.condition("server-3", "Ready") == "Unknown",
        "containerd-down": lambda: cluster.condition("server-3", "Ready") == "False",
        "etcd-dead": lambda: (
            cluster.unit("server-3") == "active" and "[-]etcd failed" in cluster.ask("server-3", "/readyz")
        ),
        "api-not-ready": lambda: "[-]informer-sync failed" in cluster.ask("server-3", "/livez"),
    }
    for fault, sign in signs.items():
        faults.set_fault(cluster.fleet, "server-3", fault)
        since = cluster.restart("server-3")
        cluster.until(fault, sign)
        faults.set_fault(cluster.fleet, "server-3", "clear")
        cluster.restart("server-3")
        cluster.until_ready("server-3")
        say("  %s" % fault)


@check
def fault_bound_to_the_configuration_ends_with_it(cluster: Cluster) -> None:
    faults.set_fault(cluster.fleet, "agent-1", "crash-loop", mentions="trigger")
    cluster.configure("agent-1", b"# trigger\n")
    since = cluster.restart("agent-1")
    cluster.until("a crash", lambda: "level=fatal" in cluster.journal("agent-1", since))
    cluster.configure("agent-1", b"")
    cluster.restart("agent-1")
    cluster.until_ready("agent-1")
    faults.set_fault(cluster.fleet, "agent-1", "clear")


@check
def quorum_lost_means_no_api(cluster: Cluster) -> None:
    for node in ("server-2", "server-3"):
        faults.power_off(cluster.fleet, node)
    answer = cluster.run("server-1", "k3s", "kubectl", "get", "--raw=/readyz")
    assert answer.returncode == 1, answer.stdout
    assert "etcd failed" in answer.stderr, answer.stderr
    assert cluster.ask("", "/db/info", certificate="").startswith("500")
    for node in ("server-2", "server-3"):
        faults.power_on(cluster.fleet, node)
    for node in ("server-1", "server-2", "server-3"):
        cluster.until_ready(node)


@check
def servers_answer_for_themselves(cluster: Cluster) -> None:
    names = {node.name for node in cluster.fleet.servers}
    for name in names:
        assert cluster.ask(name, "/readyz") == "200 ok"
        assert cluster.ask(name, "/readyz", certificate="").startswith("401 ")
        assert cluster.etcd(name) == "200"
        assert cluster.etcd(name, certificate="") != "200"
    assert cluster.ask("server-1", "/db/info", "server-2").startswith("403 ")
    own = cluster.run("server-1", "cat", "/var/lib/rancher/k3s/server/db/etcd/name").stdout
    assert own in cluster.members("server-1")
    assert cluster.listed() == names
    faults.power_off(cluster.fleet, "server-3")
    gone = time.monotonic()
    cluster.until("server-3 no longer listed", lambda: cluster.listed() == names - {"server-3"})
    assert 4 < time.monotonic() - gone < 20, time.monotonic() - gone
    faults.power_on(cluster.fleet, "server-3")
    cluster.until_ready("server-3")


@check
def agents_learn_where_the_embedded_registry_is_from_their_server(cluster: Cluster) -> None:
    def places(node: str) -> set[str]:
        return set(cluster.run(node, "ls", "/var/lib/rancher/k3s/agent/etc/containerd/certs.d").stdout.split())

    changes = {"embedded-registry": True, "https-listen-port": 7443, "service-cidr": "fd00:43::/112,10.43.0.0/16"}
    shapes.set_config(cluster.fleet, "agent-1", {"embedded-registry": True})
    since = cluster.restart("agent-1")
    refused = "flag provided but not defined: -embedded-registry"
    cluster.until("an agent that does not know the flag", lambda: cluster.said("agent-1", since, refused))
    shapes.set_config(cluster.fleet, "agent-1", {"embedded-registry": None})
    for node in cluster.fleet.servers:
        shapes.set_config(cluster.fleet, node.name, changes, drop_in=True)
        shapes.start(cluster.fleet, node.name)
    shapes.write_unit(cluster.fleet, "agent-1", port=7443)
    shapes.start(cluster.fleet, "agent-1")
    for name in ("server-1", "agent-1"):
        cluster.until("%s on IPv6" % name, lambda name=name: places(name) == {"[::1]:7443"})
    for node in cluster.fleet.nodes:
        shapes.restore_node(cluster.fleet, node.name)
    cluster.until("the embedded registry is off", lambda: not places("agent-1"))
    cluster.until_ready("agent-1")


@check
def unit_of_another_name_with_paths_of_its_own(cluster: Cluster) -> None:
    flags = ["--private-registry=/etc/rancher/edge.yaml", "--data-dir=/var/lib/rancher/edge"]
    cluster.run(
        "agent-1", "sh", "-c", "cat > /etc/rancher/edge.yaml", stdin=b"mirrors: {a.test: {endpoint: [b.test]}}\n"
    )
    shapes.rename_unit(cluster.fleet, "agent-1", "k3s-edge", flags)
    assert cluster.unit("agent-1") == "inactive"
    assert cluster.run("agent-1", "ls", "/var/lib/rancher/edge/agent/etc/containerd/certs.d").stdout.split() == [
        "a.test"
    ]
    cluster.until("Ready", lambda: cluster.condition("agent-1", "Ready") == "True")
    shapes.restore_node(cluster.fleet, "agent-1")
    assert cluster.run("agent-1", "systemctl", "list-unit-files", "k3s*").stdout.count("k3s-edge") == 0
    cluster.until_ready("agent-1")


@check
def two_servers_away_at_once_are_noticed(cluster: Cluster) -> None:
    report = events.report(cluster.fleet)
    pairs = {tuple(sorted(pair["nodes"])) for pair in report["overlapping"]}
    assert ("server-2", "server-3") in pairs, pairs


@check
def cut_node_is_silent_and_comes_back(cluster: Cluster) -> None:
    faults.cut(cluster.fleet, "agent-1")
    try:
        nodes.wait_for_ssh(cluster.fleet, patience=4, only="agent-1")
    except FleetError:
        pass
    else:
        raise AssertionError("SSH still answers")
    assert cluster.condition("agent-1", "Ready") == "True"
    faults.heal(cluster.fleet, "agent-1")
    nodes.wait_for_ssh(cluster.fleet, patience=20, only="agent-1")


@check
def lease_is_a_lock(cluster: Cluster) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "smoke", "namespace": "kube-system"},
        "spec": {"holderIdentity": "one", "leaseDurationSeconds": 30},
    }
    data = json.dumps(lease).encode()
    assert cluster.run("server-1", "k3s", "kubectl", "create", "-f", "-", stdin=data).returncode == 0
    second = cluster.run("server-2", "k3s", "kubectl", "create", "-f", "-", stdin=data)
    assert "(AlreadyExists)" in second.stderr, second.stderr
    found = json.loads(
        cluster.run("server-3", "k3s", "kubectl", "-n", "kube-system", "get", "lease", "smoke", "-o", "json").stdout
    )
    stale = json.dumps(found).encode()
    assert cluster.run("server-1", "k3s", "kubectl", "replace", "-f", "-", stdin=stale).returncode == 0
    conflict = cluster.run("server-1", "k3s", "kubectl", "replace", "-f", "-", stdin=stale)
    assert "(Conflict)" in conflict.stderr, conflict.stderr
    assert cluster.run("server-1", "k3s", "kubectl", "-n", "kube-system", "delete", "lease", "smoke").returncode == 0


@check
def agent_may_ask_about_itself_only(cluster: Cluster) -> None:
    kubectl = ("k3s", "kubectl", "--kubeconfig", "/var/lib/rancher/k3s/agent/kubelet.kubeconfig")
    assert cluster.run("agent-1", *kubectl, "get", "node", "agent-1").returncode == 0
    assert cluster.run("agent-1", *kubectl, "get", "--raw=/readyz").stdout == "ok"
    assert cluster.run("agent-1", *kubectl, "-n", "kube-node-lease", "get", "lease", "agent-1").returncode == 0
    assert "(Forbidden)" in cluster.run("agent-1", *kubectl, "get", "nodes").stderr
    assert "(Forbidden)" in cluster.run("agent-1", *kubectl, "get", "node", "server-1").stderr
    assert "localhost:8080 was refused" in cluster.run("agent-1", "k3s", "kubectl", "get", "nodes").stderr


@check
def pulls_need_certificate_and_password(cluster: Cluster) -> None:
    place = cluster.fleet.registry
    pki = cluster.fleet.folder / "pki"
    for name in ("ca.crt", "client.crt", "client.key"):
        cluster.run("agent-1", "sh", "-c", "cat > /var/tmp/" + name, stdin=(pki / name).read_bytes())

    def pull(tls: str, password: str) -> str:
        auth = {"username": place.username, "password": password}
        text = (
            'mirrors: {docker.io: {endpoint: ["%s"]}}\n'
            'configs: {"%s:%d": {tls: {ca_file: /var/tmp/ca.crt%s}, auth: %s}}\n'
        )
        cluster.configure("agent-1", (text % (place.url, place.host, place.port, tls, json.dumps(auth))).encode())
        cluster.run("agent-1", "systemctl", "restart", "k3s-agent")
        cluster.until("containerd", lambda: cluster.run("agent-1", "k3s", "crictl", "info").returncode == 0)
        answer = cluster.run("agent-1", "k3s", "crictl", "pull", "docker.io/rancher/mirrored-pause:3.6")
        return "" if answer.returncode == 0 else str(answer.stderr)

    pair = ", cert_file: /var/tmp/client.crt, key_file: /var/tmp/client.key"
    since = time.time()
    assert pull("", place.password) != ""
    assert any(entry["kind"] == "tls_error" for entry in access_log.entries(cluster.fleet, since - 1))
    assert "401" in pull(pair, "wrong") or any(
        entry.get("status") == 401 for entry in access_log.entries(cluster.fleet, since)
    )
    assert pull(pair, place.password) == ""
    served = [e for e in access_log.entries(cluster.fleet, since) if e.get("status") == 200 and e["node"] == "agent-1"]
    assert served
    assert {(entry["user"], entry["ns"]) for entry in served} == {(place.username, "docker.io")}


@check
def reissued_certificate_of_a_new_ca_needs_the_new_ca(cluster: Cluster) -> None:
    image = "docker.io/rancher/mirrored-pause:3.6"
    registry.reissue(cluster.fleet, new_ca=True)
    assert (
        "x509"
        in cluster.run("agent-1", "k3s", "crictl", "pull", image).stderr
        + cluster.run("agent-1", "tail", "-5", "/var/lib/rancher/k3s/agent/containerd/containerd.log").stdout
    )
    ca = (cluster.fleet.folder / "pki" / "ca.crt").read_bytes()
    cluster.run("agent-1", "sh", "-c", "cat > /var/tmp/ca.crt", stdin=ca)
    assert cluster.run("agent-1", "k3s", "crictl", "pull", image).returncode == 0


def main(arguments: list[str]) -> int:
    name = arguments[0] if arguments else "smoke"
    cluster = Cluster(up.up(name, 3, 1, "k3s", "stand-in", GRACE))
    failed = 0
    for function in CHECKS:
        started = time.monotonic()
        title = function.__name__.replace("_", " ")
        try:
            function(cluster)
        except AssertionError as error:
            failed += 1
            say("FAILED  %s: %s" % (title, error))
        else:
            say("ok      %s (%.1f s)" % (title, time.monotonic() - started))
    up.down(name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
