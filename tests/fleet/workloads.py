# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods on a fleet's nodes, with what they pull their images with."""

from __future__ import annotations

import json
import time
from typing import Any, Mapping, Sequence

from tests.fleet import nodes
from tests.fleet.process import FleetError
from tests.fleet.state import Fleet


def kubectl(fleet: Fleet, *words: str, body: Any = None) -> str:
    """On the first server."""
    program = "/var/lib/rancher/rke2/bin/kubectl" if fleet.distribution == "rke2" else "k3s kubectl"
    config = "%s/%s.yaml" % (fleet.config_dir, fleet.distribution)
    command = [*program.split(), "--kubeconfig", config, *words]
    stdin = None if body is None else json.dumps(body).encode()
    return str(nodes.execute(fleet, fleet.servers[0].name, command, stdin=stdin).stdout)


def create(fleet: Fleet, kind: str, name: str, namespace: str = "default", **more: Any) -> None:
    metadata = {"name": name, "namespace": namespace}
    body = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}
    kubectl(fleet, "create", "-f", "-", body=body)


def pull_secret(fleet: Fleet, name: str, logins: Mapping[str, tuple[str, str]], namespace: str = "default") -> None:
    """:param logins: address to user and password."""
    auths = {place: {"username": user, "password": password} for place, (user, password) in logins.items()}
    create(
        fleet, "Secret", name, namespace, type="kubernetes.io/dockerconfigjson",
        stringData={".dockerconfigjson": json.dumps({"auths": auths})},
    )  # fmt: skip


def service_account(fleet: Fleet, name: str, secrets: Sequence[str], namespace: str = "default") -> None:
    """One whose pods pull with these secrets."""
    create(fleet, "ServiceAccount", name, namespace, imagePullSecrets=[{"name": secret} for secret in secrets])


def pod(
    fleet: Fleet,
    name: str,
    node: str,
    image: str,
    secrets: Sequence[str] = (),
    account: str = "",
    policy: str = "IfNotPresent",
    namespace: str = "default",
    others: Sequence[str] = (),
) -> None:
    """One container on this node, and one more for each of the ``others``. In the network of the node: what a kubelet's
    test nodes can run for real."""
    images = {"app": image, **{"app-%d" % number: other for number, other in enumerate(others, 1)}}
    spec: dict[str, Any] = {
        "nodeName": node, "hostNetwork": True, "automountServiceAccountToken": False,
        "containers": [{"name": one, "image": images[one], "imagePullPolicy": policy} for one in images],
        "imagePullSecrets": [{"name": secret} for secret in secrets],
    }  # fmt: skip
    if account:
        spec["serviceAccountName"] = account
    create(fleet, "Pod", name, namespace, spec=spec)


def status(fleet: Fleet, name: str, namespace: str = "default") -> tuple[str, str]:
    """The pod's phase, and why its container waits."""
    found = json.loads(kubectl(fleet, "-n", namespace, "get", "pod", name, "-o", "json"))["status"]
    waiting = [
        "%s: %s" % (item["state"]["waiting"].get("reason", ""), item["state"]["waiting"].get("message", ""))
        for item in found.get("containerStatuses") or []
        if "waiting" in item.get("state", {})
    ]
    return found.get("phase", ""), "\n".join(waiting)


def until_running(fleet: Fleet, name: str, patience: float = 30.0, namespace: str = "default") -> None:
    """:raises FleetError: where it does not run in time, with why its container waits."""
    deadline = time.monotonic() + patience
    while True:
        phase, why = status(fleet, name, namespace)
        if phase == "Running":
            return
        if time.monotonic() > deadline:
            raise FleetError("pod %s is %s after %d s: %s" % (name, phase or "nothing", patience, why))
        time.sleep(0.3)


def until_refused(fleet: Fleet, name: str, patience: float = 30.0, namespace: str = "default") -> str:
    """Until its image could not be pulled; returns why.

    :raises FleetError: where it runs, or nothing happens in time.
    """
    deadline = time.monotonic() + patience
    while True:
        phase, why = status(fleet, name, namespace)
        if "ErrImagePull" in why or "ImagePullBackOff" in why:
            return why
        if phase == "Running" or time.monotonic() > deadline:
            raise FleetError("pod %s is %s and should have been refused" % (name, phase or "nothing"))
        time.sleep(0.3)


def delete(fleet: Fleet, kind: str, name: str, namespace: str = "default") -> None:
    kubectl(fleet, "-n", namespace, "delete", kind, name)
