# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node is back after a restart.

A unit's state proves nothing: an agent that cannot read registries.yaml is ``active`` and has neither
containerd nor a kubelet, and a node's ``Ready`` stays True for some 40 s after its kubelet has died.
Evidence is therefore gathered from the inside out, and the last piece has to be newer than the restart.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import Redactor

from . import kubernetes
from .paths import NodePaths
from .service import OpenRC, ServiceState, Systemd

KUBELET = "kubelet ready"
# Seconds between two looks. A look takes most of a second of a core's time on a small node, which K3s needs to start.
_SHORTEST_PAUSE = 0.2
_LONGEST_PAUSE = 1.0


class Health(NamedTuple):
    """``proven``: what has been shown, in order; ``missing``: the first thing that has not, "" when healthy."""

    proven: tuple[str, ...]
    missing: str

    @property
    def healthy(self) -> bool:
        return not self.missing

    def sentence(self) -> str:
        """``containerd ready, kubelet ready, node heartbeat still from before the restart``"""
        # A node's own condition says why it is not Ready, in words that others have chosen.
        return Redactor().text(", ".join(self.proven + ((self.missing,) if self.missing else ())))


def containerd_ready(paths: NodePaths, service: ServiceState) -> bool:
    """Whether the node's containerd is up and says that it is ready."""
    return not _asleep(paths, service) and not _unready(kubernetes.runtime_conditions(paths))


def observe(paths: NodePaths, service: ServiceState, since: float = 0.0) -> Health:
    """Gather evidence until the first piece that is missing.

    :param since: epoch time that the node's heartbeat or lease has to be newer than; 0.0 takes any.
    """
    proven: list[str] = []
    asleep = _asleep(paths, service)
    if asleep:
        return Health((), asleep)
    kubelet = kubernetes.kubelet_answers()
    answers = _ask(paths, kubelet, bool(since))

    unready = _unready(answers.runtime)
    if unready:
        return Health((), unready)
    proven.append("containerd ready")

    if not kubelet:
        return Health(tuple(proven), "the kubelet does not answer on port 10248")
    proven.append(KUBELET)

    if not answers.api:
        return Health(tuple(proven), "the API does not say that it is ready (/readyz)")
    proven.append("API ready")

    name, node = answers.name, answers.node
    if node is None:
        return Health(tuple(proven), "the API does not show the node %s" % name)
    known = kubernetes.conditions_of(node)
    ready = known.get("Ready", {})
    if ready.get("status") != "True":
        reason = ready.get("message") or ready.get("reason") or "no reason given"
        return Health(tuple(proven), "node %s is not Ready: %s" % (name, str(reason).rstrip(".")))
    if since and not _fresher(ready.get("lastHeartbeatTime"), answers.lease, since):
        return Health(tuple(proven), "node heartbeat still from before the restart")
    proven.append("node Ready")

    # Its lastHeartbeatTime stays old across a restart, so only the status counts.
    vote = known.get("EtcdIsVoter")
    if vote is not None:
        if vote.get("status") != "True":
            return Health(
                tuple(proven),
                "the node's etcd member has no vote (%s)" % (vote.get("reason") or "EtcdIsVoter is False"),
            )
        proven.append("etcd voter")
    if paths.node_role == "server" and service.state != "running":
        return Health(tuple(proven), "%s has not finished starting" % paths.service)
    return Health(tuple(proven), "")


def _asleep(paths: NodePaths, service: ServiceState) -> str:
    if service.alive and service.main_pid:
        return ""
    return "%s is %s" % (paths.service, service.state if not service.alive else "waiting to be started again")


def _unready(conditions: Mapping[str, bool] | None) -> str:
    if conditions is None:
        return "containerd does not answer"
    unready = [name for name in ("RuntimeReady", "NetworkReady") if not conditions.get(name)]
    return "containerd says %s is false" % " and ".join(unready) if unready else ""


class _Answers(NamedTuple):
    """What has been said, None or False by whoever has not answered or was not asked."""

    name: str
    runtime: dict[str, bool] | None
    api: bool = False
    node: dict[str, Any] | None = None
    lease: dict[str, Any] | None = None


def _ask(paths: NodePaths, kubelet: bool, lease: bool) -> _Answers:
    """Ask containerd, and the API if the kubelet is up: before that, nothing new is to be heard there.

    All at once, since each question is a program that takes its time to start.
    """
    name = kubernetes.node_name(paths)
    questions: list[Callable[[], Any]] = [lambda: kubernetes.runtime_conditions(paths)]
    if kubelet:
        questions.append(lambda: kubernetes.api_ready(paths))
        questions.append(lambda: kubernetes.get_object(paths, "node", name))
    if kubelet and lease:
        questions.append(lambda: kubernetes.get_object(paths, "--namespace=kube-node-lease", "lease", name))
    with ThreadPoolExecutor(len(questions)) as pool:
        return _Answers(name, *[said.result() for said in [pool.submit(question) for question in questions]])


def _fresher(heartbeat: str | None, lease: Mapping[str, Any] | None, since: float) -> bool:
    # A condition's time has whole seconds: one in the second of the restart may be from before it.
    if kubernetes.epoch(heartbeat) >= int(since) + 1:
        return True
    # While nothing changes the kubelet writes conditions only every 5 minutes, but renews its lease every 10 s.
    return lease is not None and kubernetes.epoch((lease.get("spec") or {}).get("renewTime")) > since


def wait(
    paths: NodePaths,
    service: Systemd | OpenRC,
    since: float,
    timeout: float,
    give_up: Callable[[ServiceState], str],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Health:
    """Observe until healthy, until ``timeout`` seconds have passed, or until ``give_up`` names a reason to stop.

    :returns: the last observation; its ``missing`` carries the reason of ``give_up`` when that ended the wait.
    """
    deadline = clock() + timeout
    pause = _SHORTEST_PAUSE
    while True:
        state = service.state()
        health = observe(paths, state, since)
        if health.healthy:
            return health
        reason = give_up(state)
        if reason:
            return Health(health.proven, reason)
        if clock() >= deadline:
            return health
        if KUBELET in health.proven:
            # It is a matter of moments now, or of the cluster.
            pause = min(_LONGEST_PAUSE, pause * 1.3)
            sleep(min(pause, max(0.1, deadline - clock())))
            continue
        again = clock() + _LONGEST_PAUSE
        while clock() < min(again, deadline) and not kubernetes.kubelet_answers():
            sleep(_SHORTEST_PAUSE)
