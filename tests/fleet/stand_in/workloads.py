# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods, their secrets and service accounts, as the API keeps them and hands them to kubelets.

There is no scheduler: a pod goes to the node that its spec names.
"""

from __future__ import annotations

import base64
import threading
import time
from typing import Any

from stand_in.store import Exists, Store

NAMESPACED = ("pods", "secrets", "serviceaccounts")
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_KINDS = {
    "pods": "PodList", "secrets": "SecretList", "serviceaccounts": "ServiceAccountList", "nodes": "NodeList",
    "namespaces": "NamespaceList",
}  # fmt: skip
_LOOK_SECONDS = 0.5
_HOLD_SECONDS = 8.0


def make_namespaces(store: Store) -> None:
    """Those that every cluster has, each with the service account that pods get who name none."""
    for name in _NAMESPACES:
        metadata = {"name": "default", "namespace": name, "uid": "%s-default" % name}
        for key, value in (
            ("namespaces/" + name, {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}),
            ("serviceaccounts/%s/default" % name, {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": metadata}),
        ):
            try:
                store.create("/registry/" + key, value)
            except Exists:
                continue


def admit(store: Store, plural: str, body: Any) -> str:
    """What a new object gets before it is kept; why not, or nothing. A pod without pull secrets of its own gets those
    that its service account has at that moment."""
    namespace = body["metadata"]["namespace"]
    if plural == "secrets":
        for name, text in (body.pop("stringData", None) or {}).items():
            body.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()
    if plural != "pods":
        return ""
    spec = body.setdefault("spec", {})
    account = spec.setdefault("serviceAccountName", "default")
    found = store.get("/registry/serviceaccounts/%s/%s" % (namespace, account))
    if found is None:
        return 'error looking up service account %s/%s: serviceaccount "%s" not found' % (namespace, account, account)
    if not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = found.value.get("imagePullSecrets") or []
    body["status"] = {"phase": "Pending"}
    return ""


def may(store: Store, node: str, verb: str, plural: str, namespace: str, name: str, options: dict[str, str]) -> bool:
    """What the node authorizer lets a kubelet do: with its own pods, and with what they refer to."""
    if plural == "pods" and verb == "list":
        return options.get("fieldSelector", "") == "spec.nodeName=" + node
    if verb not in ("get", "update"):
        return False
    own = [entry.value for entry in store.list("/registry/pods/%s/" % namespace)]
    own = [pod for pod in own if pod["spec"].get("nodeName") == node]
    if plural == "pods":
        return any(pod["metadata"]["name"] == name for pod in own)
    if verb != "get":
        return False
    if plural == "serviceaccounts":
        return any(pod["spec"]["serviceAccountName"] == name for pod in own)
    return any(secret.get("name") == name for pod in own for secret in pod["spec"].get("imagePullSecrets") or [])


def selected(items: list[Any], options: dict[str, str]) -> list[Any]:
    """By `fieldSelector`, as far as pods are chosen by it, and by labels that must be equal."""
    fields, labels = options.get("fieldSelector", ""), options.get("labelSelector", "")
    for wanted in filter(None, fields.split(",")):
        path, _equals, value = wanted.replace("==", "=").partition("=")
        differs = path.endswith("!")
        items = [item for item in items if (_at(item, path.rstrip("!")) == value) != differs]
    for wanted in filter(None, labels.split(",")):
        key, _equals, value = wanted.replace("==", "=").partition("=")
        items = [item for item in items if (item["metadata"].get("labels") or {}).get(key) == value]
    return items


def _at(item: Any, path: str) -> str:
    for key in path.split("."):
        item = (item or {}).get(key)
    return item or ""


def page(plural: str, items: list[Any], options: dict[str, str], revision: int) -> Any:
    """The list, or as much of it as was asked for, and where it goes on."""
    limit, start = int(options.get("limit") or 0), int(options.get("continue") or 0)
    metadata: dict[str, Any] = {"resourceVersion": str(revision)}
    shown = items[start:]
    if limit and len(shown) > limit:
        shown = shown[:limit]
        metadata.update({"continue": str(start + limit), "remainingItemCount": len(items) - start - limit})
    return {"kind": _KINDS.get(plural, "List"), "apiVersion": "v1", "metadata": metadata, "items": shown}


class PodWatch:
    """Kubelets that wait for news of their pods: where Kubernetes streams, one answer is held back until there is some.
    However many wait, the store is asked twice a second, and while nobody waits never."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._looked = 0.0
        self._state: dict[str, str] = {}

    def wait(self, known: str, selector: str) -> None:
        """Until the pods that ``selector`` means are others than the version ``known`` says, or for a while."""
        node = selector.partition("=")[2]
        until = time.monotonic() + _HOLD_SECONDS
        while known and time.monotonic() < until and self._version(node) == known:
            time.sleep(_LOOK_SECONDS)

    def _version(self, node: str) -> str:
        with self._lock:
            if time.monotonic() - self._looked >= _LOOK_SECONDS:
                entries = self._store.list("/registry/pods/")
                self._state = versions([(entry.value, str(entry.revision)) for entry in entries])
                self._looked = time.monotonic()
            return self._state.get(node, NONE)


NONE = "none"
"""The version of no pods at all."""


def versions(pods: list[tuple[Any, str]]) -> dict[str, str]:
    """For each node, what changes when its pods do."""
    found: dict[str, list[str]] = {}
    for pod, revision in pods:
        found.setdefault(pod["spec"].get("nodeName", ""), []).append(pod["metadata"]["uid"] + ":" + revision)
    return {node: ",".join(sorted(parts)) for node, parts in found.items()}
