# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's kubelet and, on servers, the controllers that judge nodes.

A kubelet writes its node's conditions when it starts, when they change and otherwise every five minutes, and renews
its lease every ten seconds.
"""

from __future__ import annotations

import http.server
import os
import socket
import threading
import time
from typing import Any, Callable

from stand_in import client, credential_provider, cri, endpoints, klog, log
from stand_in.faults import Faults
from stand_in.node import Node
from stand_in.pods import Pods
from stand_in.provider_config import ConfigError
from stand_in.store import Etcd, Store, Unavailable

PROVIDERS = "/var/lib/rancher/credentialprovider"
"""Where K3s and RKE2 look for credential providers, wherever their data-dir is."""
_BIN_DIR, _CONFIG = "image-credential-provider-bin-dir", "image-credential-provider-config"
_STATUS_SECONDS = 300.0
_LEASE_SECONDS = 10.0
# Those that a kubelet judges its runtime by; containerd 2 has one about deprecated settings besides.
_ASKED = ("RuntimeReady", "NetworkReady")
_GOOD = {
    "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    "Ready": ("True", "KubeletReady", "kubelet is posting ready status"),
}


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def micro_now() -> str:
    moment = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + ".%06dZ" % (moment % 1 * 1e6)


def seconds_of(text: str) -> float:
    """A Kubernetes time as epoch seconds, 0.0 for none."""
    import calendar

    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) if text else 0.0


def merge_condition(conditions: list[dict[str, str]], kind: str, status: str, reason: str, message: str) -> None:
    for condition in conditions:
        if condition["type"] == kind:
            break
    else:
        condition = {"type": kind, "status": "", "lastTransitionTime": now()}
        conditions.append(condition)
    if condition["status"] != status:
        condition["lastTransitionTime"] = now()
    condition.update(status=status, reason=reason, message=message, lastHeartbeatTime=now())


class Ended(Exception):
    """The kubelet has ended, with exit status 1. K3s has it in its own process, RKE2 beside it."""


def _say(message: str) -> None:
    klog.plain_error("plugin.go:520" if message.startswith("Failed getting") else "plugin.go:551", message)


class _OnIPv6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


class Kubelet:
    def __init__(self, node: Node, faults: Faults, stop: threading.Event) -> None:
        self.node = node
        self.faults = faults
        self.stop = stop

    def run(self) -> None:
        """:raises Ended: where a kubelet ends at its start."""
        arguments = self._provider_arguments()
        log.info(
            "Running kubelet --config-dir=%s/etc/kubelet.conf.d%s --kubeconfig=%s"
            % (
                self.node.agent_dir,
                "".join(" --%s=%s" % pair for pair in sorted(arguments.items())),
                self.node.kubelet_kubeconfig,
            )
        )
        providers = self._providers(arguments)
        self._serve_healthz()
        threading.Thread(target=Pods(self.node, providers, self.stop).run, daemon=True).start()
        posted = 0.0
        while not self.stop.is_set():
            conditions = self._conditions()
            try:
                if not self.faults.has("stale-heartbeat"):
                    if not posted or time.monotonic() - posted > _STATUS_SECONDS or self._said_otherwise(conditions):
                        self._post_status(conditions)
                        posted = time.monotonic()
                    self._renew_lease()
                self.stop.wait(_LEASE_SECONDS)
            except (client.Refused, client.Unreachable) as error:
                log.log("error", "Unable to register node with API server: %s" % error)
                self.stop.wait(1.0)

    def _provider_arguments(self) -> dict[str, str]:
        """K3s gives its kubelet the two flags, and says so, where both places are there when it starts; what
        `kubelet-arg` says comes after that."""
        node = self.node
        folder = node.flags.text("image-credential-provider-bin-dir", PROVIDERS + "/bin")
        config = node.flags.text("image-credential-provider-config", PROVIDERS + "/config.yaml")
        found = {}
        if os.path.isdir(folder) and os.path.exists(config) and not os.path.isdir(config):
            log.info("Kubelet image credential provider bin dir and configuration file found.")
            found = {_BIN_DIR: folder, _CONFIG: config}
        for argument in node.flags.items("kubelet-arg"):
            name, _equals, value = argument.lstrip("-").partition("=")
            if name in (_BIN_DIR, _CONFIG):
                found[name] = value
        return found

    def _providers(self, arguments: dict[str, str]) -> credential_provider.Providers | None:
        if not arguments:
            return None
        try:
            return credential_provider.register(
                arguments.get(_CONFIG, ""), arguments.get(_BIN_DIR, ""), self.node.release, _say
            )
        except ConfigError as error:
            klog.error("kuberuntime_manager.go:298", "Failed to register CRI auth plugins", err=str(error))
            raise Ended from None

    def _conditions(self) -> dict[str, tuple[str, str, str]]:
        conditions = dict(_GOOD)
        problem = ""
        if self.faults.has("not-ready"):
            problem = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"
        else:
            try:
                runtime, _unused = cri.Runtime(self.node.socket).status(5.0)
                problem = ", ".join("%s=false" % c.type for c in runtime if c.type in _ASKED and not c.status)
            except cri.CRIError as error:
                problem = "container runtime is down: %s" % error
        if problem:
            conditions["Ready"] = ("False", "KubeletNotReady", problem)
        return conditions

    def _said_otherwise(self, conditions: dict[str, tuple[str, str, str]]) -> bool:
        """Whether the cluster believes something else, which it also does after it missed this node for a while."""
        found = self._client().request("GET", "/api/v1/nodes/" + self.node.name)["status"]["conditions"]
        believed = {c["type"]: (c["status"], c["reason"], c["message"]) for c in found}
        return any(believed.get(kind) != wanted for kind, wanted in conditions.items())

    def _serve_healthz(self) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *arguments: Any) -> None:
                pass

        # Of the family of the node's first address.
        first = (self.node.flags.items("node-ip") or [self.node.address])[0]
        on_ipv6 = ":" in first
        kind = _OnIPv6 if on_ipv6 else http.server.ThreadingHTTPServer
        server = kind(("::1" if on_ipv6 else "127.0.0.1", 10248), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def _client(self) -> client.Client:
        return client.Client(self.node.kubelet_kubeconfig)

    def _post_status(self, wanted: dict[str, tuple[str, str, str]]) -> None:
        api = self._client()
        path = "/api/v1/nodes/" + self.node.name
        for _unused in range(20):
            try:
                found = api.request("GET", path)
            except client.Refused as refusal:
                if refusal.code != 404:
                    raise
                found = api.request("POST", "/api/v1/nodes", self._new_node())
            for kind, (status, reason, message) in wanted.items():
                merge_condition(found["status"]["conditions"], kind, status, reason, message)
            found["status"]["nodeInfo"] = self._node_info()
            try:
                api.request("PUT", path + "/status", found)
                return
            except client.Refused as refusal:
                if refusal.reason != "Conflict":
                    raise
        raise client.Unreachable("the node object changes all the time")

    def _node_info(self) -> dict[str, str]:
        return {
            "kubeletVersion": self.node.release,
            "containerRuntimeVersion": "containerd://" + self._runtime_version(),
            "operatingSystem": "linux",
            "architecture": "amd64",
            "osImage": "Debian GNU/Linux 12 (bookworm)",
        }

    def _runtime_version(self) -> str:
        try:
            return cri.Runtime(self.node.socket).version(5.0)["RuntimeVersion"]
        except (cri.CRIError, KeyError):
            return "Unknown"

    def _new_node(self) -> dict[str, Any]:
        labels = {"kubernetes.io/hostname": self.node.name, "kubernetes.io/os": "linux"}
        if self.node.is_server:
            labels["node-role.kubernetes.io/control-plane"] = "true"
            if self.node.has_etcd:
                labels["node-role.kubernetes.io/etcd"] = "true"
        return {
            "kind": "Node",
            "apiVersion": "v1",
            "metadata": {"name": self.node.name, "labels": labels},
            "spec": {},
            "status": {
                "addresses": [
                    {"type": "InternalIP", "address": self.node.address},
                    {"type": "Hostname", "address": self.node.name},
                ],
                "conditions": [],
                "nodeInfo": self._node_info(),
            },
        }

    def _renew_lease(self) -> None:
        api = self._client()
        folder = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        spec = {"holderIdentity": self.node.name, "leaseDurationSeconds": 40, "renewTime": micro_now()}
        try:
            lease = api.request("GET", "%s/%s" % (folder, self.node.name))
        except client.Refused as refusal:
            if refusal.code != 404:
                raise
            metadata = {"name": self.node.name}
            lease = {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": metadata, "spec": spec}
            api.request("POST", folder, lease)
            return
        lease["spec"].update(spec)
        api.request("PUT", "%s/%s" % (folder, self.node.name), lease)


class Controllers:
    """What runs on every server: nodes without a sign of life become Unknown, and this member's vote and the address of
    its API are written down."""

    def __init__(self, node: Node, store: Store, faults: Faults, stop: threading.Event) -> None:
        self.node = node
        self.store = store
        self.faults = faults
        self.stop = stop

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                endpoints.renew(self.store, self.node.address, self.node.api_port)
                self._judge_nodes()
                if isinstance(self.store, Etcd):
                    self._write_vote()
            except Unavailable:
                pass
            self.stop.wait(1.0)

    def _change(self, name: str, change: Callable[[Any], bool]) -> None:
        from stand_in.store import Changed

        entry = self.store.get("/registry/nodes/" + name)
        if entry is None or not change(entry.value["status"]["conditions"]):
            return
        try:
            self.store.replace(entry.key, entry.value, entry.revision)
        except Changed:
            return

    def _judge_nodes(self) -> None:
        leases = {
            entry.value["metadata"]["name"]: entry.value
            for entry in self.store.list("/registry/leases/kube-node-lease/")
        }

        def judge(name: str, conditions: list[dict[str, str]]) -> bool:
            lease = leases.get(name, {"spec": {}})["spec"].get("renewTime", "")
            signs = [seconds_of(c["lastHeartbeatTime"]) for c in conditions if c["type"] == "Ready"]
            if time.time() - max([seconds_of(lease), *signs, 0.0]) <= self.node.grace_seconds:
                return False
            changed = False
            for condition in conditions:
                if condition["type"] in _GOOD and condition["status"] != "Unknown":
                    condition.update(status="Unknown", reason="NodeStatusUnknown", lastTransitionTime=now())
                    condition["message"] = "Kubelet stopped posting node status."
                    changed = True
            return changed

        for entry in self.store.list("/registry/nodes/"):
            name = entry.value["metadata"]["name"]
            if judge(name, entry.value["status"]["conditions"]):
                self._change(name, lambda conditions, name=name: judge(name, conditions))  # type: ignore[misc]

    def _write_vote(self) -> None:
        voting = self.store.voting() and not self.faults.has("etcd-vote-lost")
        status, reason, message = (
            ("True", "MemberNotLearner", "Node is a voting member of the etcd cluster")
            if voting
            else ("False", "MemberIsLearner", "Node has not been promoted to voting member of the etcd cluster")
        )

        def change(conditions: list[dict[str, str]]) -> bool:
            if any(c["type"] == "EtcdIsVoter" and c["status"] == status for c in conditions):
                return False
            merge_condition(conditions, "EtcdIsVoter", status, reason, message)
            return True

        self._change(self.node.name, change)
