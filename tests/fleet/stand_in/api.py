# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's port 6443: the supervisor's /ping, and of the Kubernetes API nodes, leases, /readyz and /version.

Requests carry a bearer token; a kubelet's token may read its own Node and Lease and nothing else, as the node
authorizer allows it.
"""

from __future__ import annotations

import http.server
import json
import re
import socketserver
import ssl
import threading
import uuid
from typing import Any

from stand_in.node import Node
from stand_in.store import Changed, Exists, Store, Unavailable

_RESOURCE = re.compile(
    r"^/(?:api/v1/(?P<core>nodes|pods|namespaces)|apis/coordination\.k8s\.io/v1/namespaces/(?P<namespace>[^/]+)/(?P<lease>leases))"
    r"(?:/(?P<name>[^/]+))?(?:/status)?$"
)
ADMIN = "system:admin"
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
    def __init__(self, node: Node, store: Store) -> None:
        self.node = node
        self.store = store
        self.ready = False

    def serve(self) -> None:
        """Open the port and answer in threads of their own. Until ``ready`` only /ping answers, as in K3s."""
        api = self

        class Handler(_Handler):
            owner = api

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        folder = self.node.data_dir + "/server/tls"
        context.load_cert_chain(folder + "/serving-kube-apiserver.crt", folder + "/serving-kube-apiserver.key")
        server = _Server(("0.0.0.0", 6443), Handler)  # noqa: S104
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def readyz(self, verbose: bool) -> tuple[int, str]:
        etcd = self.store.healthy()
        lines = [
            "[%s]%s %s"
            % (("+", check, "ok") if etcd or not check.startswith("etcd") else ("-", check, "failed: reason withheld"))
            for check in _CHECKS
        ]
        if not etcd:
            return 500, "\n".join([*lines, "readyz check failed"]) + "\n"
        return 200, "\n".join([*lines, "readyz check passed"]) + "\n" if verbose else "ok"

    def authorise(self, user: str, verb: str, match: re.Match[str]) -> None:
        if user == ADMIN:
            return
        plural, name = match.group("core") or match.group("lease"), match.group("name") or ""
        own = user[len("system:node:") :]
        if name == own and plural in ("nodes", "leases") and match.group("namespace") in (None, "kube-node-lease"):
            return
        if verb == "create" and plural == "leases" and match.group("namespace") == "kube-node-lease":
            return
        if verb == "create" and plural == "nodes":
            return
        group = "coordination.k8s.io" if plural == "leases" else ""
        named = '%s "%s" is' % (plural + ("." + group if group else ""), name) if name else "%s is" % plural
        raise Refused(
            403,
            "Forbidden",
            '%s forbidden: User "%s" cannot %s resource "%s" in API group "%s" %s'
            % (
                named, user, verb, plural, group,
                'in the namespace "%s"' % match.group("namespace")
                if match.group("namespace")
                else "at the cluster scope",
            ),
        )  # fmt: skip

    def resource(self, verb: str, match: re.Match[str], body: Any) -> tuple[int, Any]:
        plural, name = match.group("core") or match.group("lease"), match.group("name") or ""
        folder = "/registry/%s/%s" % (plural, match.group("namespace") + "/" if match.group("namespace") else "")
        shown = plural + (".coordination.k8s.io" if plural == "leases" else "")
        if verb == "list":
            items = [_versioned(entry.value, entry.revision) for entry in self.store.list(folder)]
            return 200, {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": ""}, "items": items}
        if verb == "create":
            return self._create(folder, shown, match, body)
        entry = self.store.get(folder + name)
        if entry is None:
            raise Refused(404, "NotFound", '%s "%s" not found' % (shown, name))
        if verb == "get":
            return 200, _versioned(entry.value, entry.revision)
        if verb == "delete":
            self.store.delete(folder + name)
            return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        return self._update(folder, shown, name, entry, body)

    def _create(self, folder: str, shown: str, match: re.Match[str], body: Any) -> tuple[int, Any]:
        metadata = body.setdefault("metadata", {})
        name = metadata.get("name", "")
        if not re.match(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", name):
            raise Refused(422, "Invalid", '%s "%s" is invalid: metadata.name: Invalid value' % (shown, name))
        if match.group("namespace"):
            metadata["namespace"] = match.group("namespace")
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = _now()
        metadata.pop("resourceVersion", None)
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


def _versioned(value: Any, revision: int) -> Any:
    return {**value, "metadata": {**value["metadata"], "resourceVersion": str(revision)}}


def _now() -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    owner: API

    def log_message(self, *arguments: Any) -> None:
        """K3s does not log requests."""

    def _send(self, code: int, content: Any) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        data = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        path, _unused, query = self.path.partition("?")
        if path == "/ping":
            self._send(200, "pong")
            return
        if path.startswith("/v2"):
            self._send(404, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "no peer has it"}]})
            return
        try:
            self._send(*self._kubernetes(path, query, body))
        except Refused as refusal:
            self._send(refusal.code, refusal.status)
        except Unavailable as error:
            away = Refused(500, "InternalError", "etcdserver: request timed out (%s)" % error)
            self._send(500, away.status)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def _kubernetes(self, path: str, query: str, body: bytes) -> tuple[int, Any]:
        if not self.owner.ready:
            raise Refused(503, "ServiceUnavailable", "the server is currently unable to handle the request")
        user = self.owner.node.user_of((self.headers.get("Authorization") or "").partition(" ")[2])
        if not user:
            raise Refused(401, "Unauthorized", "Unauthorized")
        if path in ("/readyz", "/livez", "/healthz"):
            return self.owner.readyz("verbose" in query)
        if path == "/version":
            return 200, {"major": "1", "gitVersion": self.owner.node.release, "platform": "linux/amd64"}
        match = _RESOURCE.match(path)
        if match is None:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        verb = {"POST": "create", "PUT": "update", "DELETE": "delete"}.get(self.command, "get")
        if verb == "get" and not match.group("name"):
            verb = "list"
        self.owner.authorise(user, verb, match)
        return self.owner.resource(verb, match, json.loads(body) if body else {})
