# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence of a node's health, from the inside out: every piece that can be missing, and what is said about it."""

from __future__ import annotations

import copy
import dataclasses
import http.server
import socket
import threading
from typing import Any, Callable

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import health, kubernetes
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import ServiceState

RESTART = 1767225600.5  # 2026-01-01T00:00:00.5Z
BEFORE, SAME_SECOND, AFTER = "2025-12-31T23:59:58Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
RUNNING = ServiceState("running", 4711, RESTART, 0)
SERVER_LABELS = {"node-role.kubernetes.io/control-plane": "true"}


class Cluster:
    """What the node's runtime, kubelet and API answer; a test changes one thing."""

    def __init__(self) -> None:
        self.runtime: dict[str, bool] | None = {"RuntimeReady": True, "NetworkReady": True}
        self.kubelet = True
        self.api = True
        self.node: dict[str, Any] | None = node("server-1", ready="True", heartbeat=AFTER, vote="True")
        self.lease_renewed = BEFORE

    def get(self, paths: NodePaths, *arguments: str, kubeconfig: str = "") -> dict[str, Any] | None:
        if "lease" in arguments:
            return {"spec": {"renewTime": self.lease_renewed}}
        return copy.deepcopy(self.node)


def node(
    name: str, ready: str = "True", heartbeat: str = AFTER, vote: str = "", server: bool = True, message: str = ""
) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready, "lastHeartbeatTime": heartbeat, "reason": "KubeletNotReady"}]
    if message:
        conditions[0]["message"] = message
    if vote:
        conditions.append({"type": "EtcdIsVoter", "status": vote, "reason": "MemberIsLearner"})
    return {
        "metadata": {"name": name, "labels": SERVER_LABELS if server else {}},
        "status": {"conditions": conditions},
    }


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    fake = Cluster()
    monkeypatch.setattr(kubernetes, "runtime_conditions", lambda paths: fake.runtime)
    monkeypatch.setattr(kubernetes, "kubelet_answers", lambda: fake.kubelet)
    monkeypatch.setattr(kubernetes, "api_ready", lambda paths: fake.api)
    monkeypatch.setattr(kubernetes, "node_name", lambda paths: "server-1")
    monkeypatch.setattr(kubernetes, "get_object", fake.get)
    return fake


def test_all_of_it_is_a_healthy_node(cluster: Cluster, paths: NodePaths) -> None:
    seen = health.observe(paths, RUNNING, RESTART)
    assert seen.healthy
    assert seen.sentence() == "containerd ready, kubelet ready, API ready, node Ready, etcd voter"


def _set(**values: Any) -> Callable[[Cluster], None]:
    def change(cluster: Cluster) -> None:
        for name, value in values.items():
            setattr(cluster, name, value)

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_set(runtime=None), "containerd does not answer"),
        (_set(runtime={"RuntimeReady": True, "NetworkReady": False}), "containerd says NetworkReady is false"),
        (_set(kubelet=False), "containerd ready, the kubelet does not answer on port 10248"),
        (_set(api=False), "kubelet ready, the API does not say that it is ready (/readyz)"),
        (_set(node=None), "API ready, the API does not show the node server-1"),
        (_set(node=node("server-1", ready="False")), "API ready, node server-1 is not Ready: KubeletNotReady"),
        (_set(node=node("server-1", ready="Unknown")), "API ready, node server-1 is not Ready: KubeletNotReady"),
        # The message's own full stop is left out: the sentence goes on where this one is used.
        (
            _set(node=node("server-1", ready="Unknown", message="Kubelet stopped posting node status.")),
            "API ready, node server-1 is not Ready: Kubelet stopped posting node status",
        ),
        (
            _set(node=node("server-1", heartbeat=BEFORE)),
            "containerd ready, kubelet ready, API ready, node heartbeat still from before the restart",
        ),
        (
            _set(node=node("server-1", vote="False")),
            "node Ready, the node's etcd member has no vote (MemberIsLearner)",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_after_what_was_shown(
    cluster: Cluster, paths: NodePaths, change: Callable[[Cluster], None], sentence: str
) -> None:
    change(cluster)
    seen = health.observe(paths, RUNNING, RESTART)
    assert not seen.healthy
    assert seen.sentence().endswith(sentence)


def test_a_heartbeat_within_the_second_of_the_restart_proves_nothing(cluster: Cluster, paths: NodePaths) -> None:
    cluster.node = node("server-1", heartbeat=SAME_SECOND)
    assert not health.observe(paths, RUNNING, RESTART).healthy


def test_a_lease_renewed_since_is_as_good_as_a_heartbeat(cluster: Cluster, paths: NodePaths) -> None:
    cluster.node = node("server-1", heartbeat=BEFORE)
    cluster.lease_renewed = "2026-01-01T00:00:00.600000Z"
    assert health.observe(paths, RUNNING, RESTART).healthy
    cluster.lease_renewed = "2026-01-01T00:00:00.400000Z"
    assert not health.observe(paths, RUNNING, RESTART).healthy


def test_a_server_that_systemd_still_waits_for_is_not_done(cluster: Cluster, paths: NodePaths) -> None:
    starting = RUNNING._replace(state="starting")
    assert health.observe(paths, starting, RESTART).missing == "k3s has not finished starting"
    # An agent of a release that tells systemd nothing, or late, is no worse for it.
    assert health.observe(dataclasses.replace(paths, node_role="agent"), starting, RESTART).healthy


def test_all_is_asked_at_once(cluster: Cluster, paths: NodePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question is a program that takes its time to start: none waits for another's answer."""
    all_there = threading.Barrier(4)

    def together(answer: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*arguments: Any) -> Any:
            all_there.wait(30)
            return answer(*arguments)

        return asked

    for name in ("runtime_conditions", "api_ready", "get_object"):
        monkeypatch.setattr(kubernetes, name, together(getattr(kubernetes, name)))
    assert health.observe(paths, RUNNING, RESTART).healthy


def test_the_api_is_not_asked_before_the_kubelet_is_up(
    cluster: Cluster, paths: NodePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.kubelet = False
    asked: list[object] = []
    monkeypatch.setattr(kubernetes, "api_ready", asked.append)
    monkeypatch.setattr(kubernetes, "get_object", lambda *arguments: asked.append(arguments))
    assert health.observe(paths, RUNNING, RESTART).missing == "the kubelet does not answer on port 10248"
    assert asked == []


@pytest.mark.parametrize("runtime", [None, {"RuntimeReady": False, "NetworkReady": True}])
def test_containerd_is_ready_or_not(cluster: Cluster, paths: NodePaths, runtime: dict[str, bool] | None) -> None:
    cluster.api = cluster.kubelet = False
    assert health.containerd_ready(paths, RUNNING)
    assert not health.containerd_ready(paths, RUNNING._replace(main_pid=0))
    cluster.runtime = runtime
    assert not health.containerd_ready(paths, RUNNING)


class Waiting:
    """A service and a clock for :func:`health.wait`; it becomes healthy at ``healthy_at``."""

    def __init__(self, cluster: Cluster, healthy_at: float) -> None:
        self.cluster, self.healthy_at, self.now = cluster, healthy_at, 0.0
        self.cluster.kubelet = False
        self.looks = 0

    def state(self) -> ServiceState:
        self.looks += 1
        return RUNNING

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.cluster.kubelet = self.now >= self.healthy_at

    def run(self, paths: NodePaths, timeout: float, give_up: Callable[[ServiceState], str]) -> health.Health:
        return health.wait(paths, self, RESTART, timeout, give_up, self.sleep, lambda: self.now)  # type: ignore[arg-type]


def test_the_wait_ends_with_health_or_with_what_was_last_seen(cluster: Cluster, paths: NodePaths) -> None:
    soon = Waiting(cluster, 40)
    assert soon.run(paths, 60, lambda _state: "").healthy
    # As soon as the kubelet is up; before that, a look a second is enough.
    assert 40 <= soon.now < 40.5
    assert soon.looks <= 42
    late = Waiting(cluster, 70)
    seen = late.run(paths, 60, lambda _state: "")
    assert seen.sentence() == "containerd ready, the kubelet does not answer on port 10248"
    assert 60 <= late.now < 62


def test_the_wait_ends_early_when_there_is_no_hope(cluster: Cluster, paths: NodePaths) -> None:
    waiting = Waiting(cluster, 70)
    seen = waiting.run(paths, 60, lambda _state: "k3s crashed 3 times" if waiting.now >= 5 else "")
    assert seen.missing == "k3s crashed 3 times"
    assert waiting.now < 7


class _Kubelet(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: Any) -> None:
        pass


class _OnIPv6(http.server.HTTPServer):
    address_family = socket.AF_INET6


@pytest.mark.parametrize(("host", "kind"), [("127.0.0.1", http.server.HTTPServer), ("::1", _OnIPv6)])
def test_a_kubelet_answers_on_loopback_of_either_family(
    host: str, kind: type[http.server.HTTPServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """K3s has it on ::1 where the node's first address is of IPv6."""
    with kind((host, 0), _Kubelet) as server:
        port = server.server_address[1]
        monkeypatch.setattr(kubernetes, "_KUBELETS", [(place, port) for place, _port in kubernetes._KUBELETS])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert kubernetes.kubelet_answers()
        server.shutdown()
    assert not kubernetes.kubelet_answers()
