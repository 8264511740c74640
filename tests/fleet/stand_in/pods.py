# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of a node, as far as their images go: pulled by the kubelet's rules, with its words where that fails.

No process runs: a pod whose images are there is Running, and goes on being so until it is deleted.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.parse
from typing import Any

from stand_in import client, cri, keyring, klog, workloads
from stand_in.credential_provider import Account, Providers
from stand_in.keyring import Login
from stand_in.node import Node

_PULL_SECONDS = 130.0
_FIRST_BACKOFF, _LONGEST_BACKOFF = 10.0, 300.0


class Pods:
    """:param providers: the node's credential providers, None where K3s has given its kubelet none."""

    def __init__(self, node: Node, providers: Providers | None, stop: threading.Event) -> None:
        self._node = node
        self._providers = providers
        self._stop = stop
        self._runtime = cri.Runtime(node.socket)
        self._backoff: dict[str, tuple[float, float]] = {}
        self._busy: set[str] = set()
        self._done: dict[str, str] = {}

    def run(self) -> None:
        """Look after the node's pods until K3s stops."""
        known = ""
        while not self._stop.is_set():
            try:
                found = self._listed(known)
            except (OSError, client.Refused, client.Unreachable):
                known = ""
                self._stop.wait(1.0)
                continue
            pods = [(pod, pod["metadata"]["resourceVersion"]) for pod in found]
            for pod, _revision in pods:
                self._look_after(pod)
            known = workloads.versions(pods).get(self._node.name, workloads.NONE)
            if any(self._waits(pod) for pod in found):
                known = ""
                self._stop.wait(1.0)

    def _listed(self, known: str) -> list[Any]:
        query = urllib.parse.urlencode({
            "fieldSelector": "spec.nodeName=" + self._node.name, "watch": "true", "resourceVersion": known,
        })  # fmt: skip
        asked = client.Client(self._node.kubelet_kubeconfig, 20.0)
        return list(asked.request("GET", "/api/v1/pods?" + query)["items"])

    def _waits(self, pod: Any) -> bool:
        return self._done.get(pod["metadata"]["uid"]) is None

    def _look_after(self, pod: Any) -> None:
        """One attempt for each container that has no image yet, in a thread: a registry may take its time."""
        uid = pod["metadata"]["uid"]
        if pod["status"].get("phase") == "Running":
            # Since before K3s was restarted: containers outlive it.
            self._done[uid] = "Running"
        if uid in self._done or uid in self._busy or time.monotonic() < self._backoff.get(uid, (0.0, 0.0))[0]:
            return
        self._busy.add(uid)
        threading.Thread(target=self._attempt, args=(pod,), daemon=True).start()

    def _attempt(self, pod: Any) -> None:
        uid = pod["metadata"]["uid"]
        try:
            statuses, failed = [], False
            for container in pod["spec"].get("containers") or []:
                status = self._status(pod, container)
                failed = failed or "waiting" in status["state"]
                statuses.append(status)
            if self._post(pod, statuses, failed) and not failed:
                self._done[uid] = "Running"
            if failed:
                _unused, last = self._backoff.get(uid, (0.0, 0.0))
                pause = min(last * 2 or _FIRST_BACKOFF, _LONGEST_BACKOFF)
                self._backoff[uid] = (time.monotonic() + pause, pause)
        finally:
            self._busy.discard(uid)

    def _status(self, pod: Any, container: Any) -> dict[str, Any]:
        image = container["image"]
        status = {"name": container["name"], "image": image, "restartCount": 0, "ready": True, "imageID": ""}
        try:
            status["imageID"] = self._ensure(pod, container)
            return {**status, "state": {"running": {"startedAt": _now()}}}
        except _PullFailed as error:
            waiting = {"reason": error.reason, "message": str(error)}
            return {**status, "ready": False, "state": {"waiting": waiting}}

    def _ensure(self, pod: Any, container: Any) -> str:
        """The id of the container's image, pulled where `imagePullPolicy` says so.

        :raises _PullFailed: in the kubelet's words.
        """
        image = container["image"]
        policy = container.get("imagePullPolicy") or ("Always" if _is_latest(image) else "IfNotPresent")
        try:
            present = self._runtime.image(image, 10.0)
        except cri.CRIError as error:
            raise _PullFailed("ImageInspectError", 'Failed to inspect image "%s": %s' % (image, error)) from None
        if present is not None and policy != "Always":
            return present.id
        if policy == "Never":
            text = 'Container image "%s" is not present with pull policy of Never' % image
            raise _PullFailed("ErrImageNeverPull", text)
        return self._pull(pod, container["name"], image)

    def _pull(self, pod: Any, container: str, image: str) -> str:
        """With each login that the kubelet has for it until one works; without any only where it has none."""
        errors: list[str] = []
        logins: list[Login | None] = [*self._logins(pod, keyring.repository_of(image))]
        for login in logins or [None]:
            try:
                return self._runtime.pull(image, _PULL_SECONDS, login)
            except cri.CRIError as error:
                klog.error("log.go:32", "PullImage from image service failed", err=str(error), image=image)
                # A kubelet repeats what an error without a class of its own says, and not what gRPC calls it.
                errors.append(error.message if error.code == "Unknown" else str(error))
        joined = errors[0] if len(set(errors)) == 1 else "[%s]" % ", ".join(dict.fromkeys(errors))
        klog.error("kuberuntime_image.go:43", "Failed to pull image", err=joined, image=image)
        place = "%s/%s" % (pod["metadata"]["namespace"], pod["metadata"]["name"])
        failed = 'failed to "StartContainer" for "%s" with ErrImagePull: %s' % (container, json.dumps(joined))
        uid = pod["metadata"]["uid"]
        klog.error("pod_workers.go:1324", "Error syncing pod, skipping", err=failed, pod=place, podUID=uid)
        raise _PullFailed("ErrImagePull", joined)

    def _logins(self, pod: Any, repository: str) -> list[Login]:
        """Of the pod's secrets first, then of the node's providers."""
        namespace = pod["metadata"]["namespace"]
        asked = client.Client(self._node.kubelet_kubeconfig, 10.0)
        secrets = []
        for entry in pod["spec"].get("imagePullSecrets") or []:
            # One that is not there is passed over.
            with contextlib.suppress(client.Refused, client.Unreachable):
                path = "/api/v1/namespaces/%s/secrets/%s" % (namespace, entry["name"])
                secrets.append(asked.request("GET", path))
        found = keyring.of_secrets(secrets).lookup(repository)
        if self._providers is not None:
            found += self._providers.lookup(repository, self._account(asked, pod))
        return found

    def _account(self, asked: client.Client, pod: Any) -> Account | None:
        namespace, name = pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName", "")
        try:
            metadata = asked.request("GET", "/api/v1/namespaces/%s/serviceaccounts/%s" % (namespace, name))["metadata"]
        except (client.Refused, client.Unreachable):
            return None
        uid = metadata.get("uid", "")

        def token(audience: str) -> str:
            return "stand-in-token.%s.%s.%s.%s" % (audience, namespace, name, pod["metadata"]["uid"])

        return Account(namespace, name, uid, metadata.get("annotations") or {}, token)

    def _post(self, pod: Any, statuses: list[dict[str, Any]], failed: bool) -> bool:
        """Write the pod's status down; False where somebody else has changed or deleted it."""
        metadata = pod["metadata"]
        path = "/api/v1/namespaces/%s/pods/%s" % (metadata["namespace"], metadata["name"])
        asked = client.Client(self._node.kubelet_kubeconfig, 10.0)
        try:
            current = asked.request("GET", path)
            phase = "Pending" if failed else "Running"
            current["status"] = {"phase": phase, "containerStatuses": statuses, "hostIP": self._node.address}
            asked.request("PUT", path + "/status", current)
        except (client.Refused, client.Unreachable):
            return False
        return True


class _PullFailed(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def _is_latest(image: str) -> bool:
    if "@" in image:
        return False
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag in ("", "latest")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
