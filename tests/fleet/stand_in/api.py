# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server answers: the supervisor's own questions, and of the Kubernetes API nodes, leases, pods with their
secrets and service accounts, the endpoints of the API itself, /readyz and /version.

K3s has both at one port, RKE2 at two. Who asks shows a client certificate; a kubelet's may read its own Node and Lease,
its pods and what they refer to, and nothing else, as the node authorizer allows it.
"""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import uuid
from typing import Any

from stand_in import cluster_config, endpoints, https, workloads
from stand_in.faults import Faults
from stand_in.node import Node
from stand_in.store import Changed, Etcd, Exists, Store, Unavailable

_RESOURCE = re.compile(
    r"^/(?:api/v1/(?P<core>nodes|namespaces|pods|secrets|serviceaccounts)"
    r"|api/v1/namespaces/(?P<home>[^/]+)/(?P<inner>pods|secrets|serviceaccounts)"
    r"|apis/coordination\.k8s\.io/v1/namespaces/(?P<namespace>[^/]+)/(?P<lease>leases))"
    r"(?:/(?P<name>[^/]+))?(?P<status>/status)?$"
)
_MASTERS = "system:masters"
_NODES = "system:nodes"
_CHECKS = [
    "ping",
    "log",
    "etcd",
    "etcd-readiness",
    "informer-sync",
    "poststarthook/start-apiextensions-controllers",
    "shutdown",
]


class Refused(Exception):
    """An answer with a Kubernetes Status object."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        }  # fmt: skip


class API:
    """Until ``ready``, only what the supervisor knows by itself is answered, as in K3s."""

    def __init__(self, node: Node, store: Store, faults: Faults) -> None:
        self.node = node
        self.store = store
        self.faults = faults
        self.ready = False
        self.pods = workloads.PodWatch(store)

    def serve_supervisor(self) -> None:
        """Open the port where nodes join. With K3s the API is behind it."""
        folder = self.node.data_dir + "/server/tls"
        https.serve(self.node.supervisor_port, folder, "serving-kube-apiserver", self._answered(self._supervisor))

    def serve_api(self) -> None:
        """Open the API's own port, where it has one: RKE2's is another process, which is not there before it runs."""
        workloads.make_namespaces(self.store)
        self.ready = True
        if self.node.api_port != self.node.supervisor_port:
            folder = self.node.data_dir + "/server/tls"
            https.serve(self.node.api_port, folder, "serving-kube-apiserver", self._answered(self._kubernetes))

    def _supervisor(self, request: https.Request) -> tuple[int, Any]:
        prefix = "/v1-%s/" % self.node.program
        if request.path == "/ping":
            return 200, "pong"
        if request.path == "/cacerts":
            with open(self.node.data_dir + "/server/tls/server-ca.crt", encoding="utf-8") as handle:
                return 200, handle.read()
        if request.path == "/db/info" and self.node.has_etcd:
            return self._database(request)
        if request.path == prefix + "config":
            if _NODES not in request.groups:
                raise Refused(403, "Forbidden", "forbidden")
            return 200, cluster_config.answer(self.node)
        if request.path.startswith("/v2") and self.node.flags.true("embedded-registry"):
            return https.embedded_registry(request)
        return self._kubernetes(request)

    @staticmethod
    def _answered(function: https.Answer) -> https.Answer:
        """``function``, with its refusals as answers."""

        def answer(request: https.Request) -> tuple[int, Any]:
            try:
                return function(request)
            except Refused as refusal:
                return refusal.code, refusal.status
            except Unavailable as error:
                away = Refused(500, "InternalError", "etcdserver: request timed out (%s)" % error)
                return away.code, away.status

        return answer

    def _database(self, request: https.Request) -> tuple[int, Any]:
        """For new members, with the token, and for whoever is on this node."""
        if not request.local:
            raise Refused(403, "Forbidden", "forbidden")
        why = "etcd not started"
        if not isinstance(self.store, Etcd) or self.store.child is not None:
            try:
                return 200, {"members": self.store.members()}
            except Unavailable:
                why = "context deadline exceeded"
        raise Refused(500, "InternalError", "Internal error occurred: failed to get etcd MemberList: " + why)

    def _kubernetes(self, request: https.Request) -> tuple[int, Any]:
        if not self.ready:
            raise Refused(503, "ServiceUnavailable", "apiserver not ready")
        if not request.user:
            raise Refused(401, "Unauthorized", "Unauthorized")
        if request.path in ("/readyz", "/livez", "/healthz"):
            return self.readyz(request.path[1:], "verbose" in request.query)
        if request.path == "/version":
            return 200, {"major": "1", "gitVersion": self.node.release, "platform": "linux/amd64"}
        if _MASTERS in request.groups and request.method == "GET":
            found = endpoints.answer(self.store, request.path)
            if found is not None:
                return 200, found
        match = _RESOURCE.match(request.path)
        if match is None:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(request.method, "get")
        if verb == "get" and not match.group("name"):
            verb = "list"
        options = dict(urllib.parse.parse_qsl(request.query))
        if _MASTERS not in request.groups:
            self.authorise(request.user, verb, match, options)
        if verb == "list" and "watch" in options:
            self.pods.wait(options.get("resourceVersion", ""), options.get("fieldSelector", ""))
        return self.resource(verb, match, json.loads(request.body) if request.body else {}, options)

    def readyz(self, what: str, verbose: bool) -> tuple[int, str]:
        failed = [] if self.store.healthy() else ["etcd", "etcd-readiness"]
        if self.faults.has("api-not-ready"):
            failed.append("informer-sync")
        lines = [
            "[%s]%s %s" % (("-", check, "failed: reason withheld") if check in failed else ("+", check, "ok"))
            for check in _CHECKS
        ]
        if failed:
            return 500, "\n".join([*lines, what + " check failed"]) + "\n"
        return 200, "\n".join([*lines, what + " check passed"]) + "\n" if verbose else "ok"

    def authorise(self, user: str, verb: str, match: re.Match[str], options: dict[str, str]) -> None:
        plural, namespace, name = _named(match)
        own = user[len("system:node:") :]
        if name == own and plural in ("nodes", "leases") and namespace in ("", "kube-node-lease"):
            return
        if verb == "create" and plural == "leases" and namespace == "kube-node-lease":
            return
        if verb == "create" and plural == "nodes":
            return
        if plural in workloads.NAMESPACED and workloads.may(self.store, own, verb, plural, namespace, name, options):
            return
        group = "coordination.k8s.io" if plural == "leases" else ""
        named = '%s "%s" is' % (plural + ("." + group if group else ""), name) if name else "%s is" % plural
        raise Refused(
            403,
            "Forbidden",
            '%s forbidden: User "%s" cannot %s resource "%s" in API group "%s" %s'
            % (
                named, user, verb, plural, group,
                'in the namespace "%s"' % namespace if namespace else "at the cluster scope",
            ),
        )  # fmt: skip

    def resource(self, verb: str, match: re.Match[str], body: Any, options: dict[str, str]) -> tuple[int, Any]:
        plural, namespace, name = _named(match)
        folder = "/registry/%s/%s" % (plural, namespace + "/" if namespace else "")
        shown = plural + (".coordination.k8s.io" if plural == "leases" else "")
        if verb == "list":
            entries = self.store.list(folder)
            items = workloads.selected([_versioned(entry.value, entry.revision) for entry in entries], options)
            return 200, workloads.page(plural, items, options, max([entry.revision for entry in entries], default=0))
        if verb == "create":
            return self._create(folder, shown, plural, namespace, body)
        entry = self.store.get(folder + name)
        if entry is None:
            raise Refused(404, "NotFound", '%s "%s" not found' % (shown, name))
        if verb == "get":
            return 200, _versioned(entry.value, entry.revision)
        if verb == "delete":
            self.store.delete(folder + name)
            return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        if verb == "patch":
            body = _merged(entry.value, body)
        if match.group("status") and plural == "pods":
            body = {**entry.value, "status": body.get("status", {}), "metadata": body.get("metadata", {})}
        return self._update(folder, shown, name, entry, body)

    def _create(self, folder: str, shown: str, plural: str, namespace: str, body: Any) -> tuple[int, Any]:
        metadata = body.setdefault("metadata", {})
        name = metadata.get("name", "")
        if not re.match(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", name):
            raise Refused(422, "Invalid", '%s "%s" is invalid: metadata.name: Invalid value' % (shown, name))
        if namespace:
            metadata["namespace"] = namespace
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = _now()
        metadata.pop("resourceVersion", None)
        if plural in workloads.NAMESPACED:
            why = workloads.admit(self.store, plural, body)
            if why:
                raise Refused(403, "Forbidden", '%s "%s" is forbidden: %s' % (shown, name, why))
        try:
            revision = self.store.create(folder + name, body)
        except Exists:
            raise Refused(409, "AlreadyExists", '%s "%s" already exists' % (shown, name)) from None
        return 201, _versioned(body, revision)

    def _update(self, folder: str, shown: str, name: str, entry: Any, body: Any) -> tuple[int, Any]:
        conflict = Refused(
            409,
            "Conflict",
            'Operation cannot be fulfilled on %s "%s": the object has been modified; please apply your changes to the '
            "latest version and try again" % (shown, name),
        )
        metadata = body.setdefault("metadata", {})
        asked = metadata.pop("resourceVersion", "") or str(entry.revision)
        if asked != str(entry.revision):
            raise conflict
        for key in ("uid", "creationTimestamp", "namespace"):
            if key in entry.value["metadata"]:
                metadata[key] = entry.value["metadata"][key]
        try:
            revision = self.store.replace(folder + name, body, entry.revision)
        except Changed:
            raise conflict from None
        return 200, _versioned(body, revision)


def _named(match: re.Match[str]) -> tuple[str, str, str]:
    """The plural, the namespace or "", and the name or ""."""
    plural = match.group("core") or match.group("inner") or match.group("lease")
    return plural, match.group("home") or match.group("namespace") or "", match.group("name") or ""


def _merged(value: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7396): the only kind that there is here."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, item in patch.items():
        result[key] = _merged(result.get(key), item)
        if item is None:
            del result[key]
    return result


def _versioned(value: Any, revision: int) -> Any:
    return {**value, "metadata": {**value["metadata"], "resourceVersion": str(revision)}}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
