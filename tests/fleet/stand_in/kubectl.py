# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`k3s kubectl`: get, create, replace and delete of nodes, leases, pods, secrets and service accounts, patch of nodes,
get of the API's endpoints, and get --raw, worded as kubectl words them."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from stand_in import client
from stand_in.crictl import duration
from stand_in.node import Node

_WITH_VALUE = {
    "kubeconfig",
    "namespace",
    "n",
    "output",
    "o",
    "filename",
    "f",
    "request-timeout",
    "raw",
    "selector",
    "l",
    "field-selector",
    "chunk-size",
    "type",
    "patch",
    "p",
    "field-manager",
}
_KINDS = {
    "node": "nodes", "nodes": "nodes", "no": "nodes", "pod": "pods", "pods": "pods", "po": "pods",
    "lease": "leases", "leases": "leases", "lease.coordination.k8s.io": "leases",
    "leases.coordination.k8s.io": "leases", "endpoints": "endpoints", "ep": "endpoints",
    "endpointslice": "endpointslices", "endpointslices": "endpointslices",
    "endpointslices.discovery.k8s.io": "endpointslices", "secret": "secrets", "secrets": "secrets",
    "serviceaccount": "serviceaccounts", "serviceaccounts": "serviceaccounts", "sa": "serviceaccounts",
    "namespace": "namespaces", "namespaces": "namespaces", "ns": "namespaces",
}  # fmt: skip


_NAMESPACED = ("endpoints", "pods", "secrets", "serviceaccounts")
_GROUPS = {"leases": "/apis/coordination.k8s.io/v1", "endpointslices": "/apis/discovery.k8s.io/v1"}


class Failure(Exception):
    """What goes to stderr before exit code 1."""


class Kubectl:
    def __init__(self, node: Node) -> None:
        self.node = node
        self.flags: dict[str, str] = {}
        self.words: list[str] = []

    def main(self, arguments: list[str]) -> int:
        self._parse(arguments)
        try:
            if not self.words:
                raise Failure("kubectl controls the Kubernetes cluster manager.")
            command = getattr(self, "command_" + self.words[0], None)
            if command is None:
                raise Failure('error: unknown command "%s" for "kubectl"' % self.words[0])
            command(self._client())
        except Failure as failure:
            sys.stderr.write(str(failure) + "\n")
            return 1
        except client.Unreachable as error:
            if "timed out" in str(error):
                sys.stderr.write(
                    "Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded)\n"
                )
            else:
                sys.stderr.write(
                    "The connection to the server %s was refused - did you specify the right host or port?\n"
                    % self.address
                )
            return 1
        return 0

    def _parse(self, arguments: list[str]) -> None:
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            if word == "-" or not word.startswith("-"):
                self.words.append(word)
                continue
            flag, mark, value = word.lstrip("-").partition("=")
            if not word.startswith("--") and len(flag) > 1 and flag[0] in "nofl":
                flag, value, mark = flag[0], flag[1:], "="
            if not mark and flag in _WITH_VALUE and rest:
                value = rest.pop(0)
            self.flags[{"n": "namespace", "o": "output", "f": "filename"}.get(flag, flag)] = value

    def _client(self) -> client.Client:
        path = self.flags.get("kubeconfig") or os.environ.get("KUBECONFIG") or self.node.admin_kubeconfig
        self.address = "localhost:8080"
        if not os.path.exists(path):
            if self.flags.get("kubeconfig"):
                raise Failure("error: stat %s: no such file or directory" % path)
            raise client.Unreachable("refused")
        try:
            found = client.Client(path, duration(self.flags.get("request-timeout", "")) or 30.0)
        except PermissionError:
            raise Failure('error: error loading config file "%s": open %s: permission denied' % (path, path)) from None
        self.address = found.address
        return found

    def _path(self, kind: str, name: str = "", namespace: str = "") -> str:
        plural = _KINDS.get(kind.lower())
        if plural is None:
            raise Failure('error: the server doesn\'t have a resource type "%s"' % kind)
        group = _GROUPS.get(plural, "/api/v1")
        if plural in ("pods", "secrets", "serviceaccounts") and not name and self._everywhere():
            return "%s/%s%s" % (group, plural, self._query())
        if plural in _GROUPS or plural in _NAMESPACED:
            plural = "namespaces/%s/%s" % (namespace or self.flags.get("namespace", "default"), plural)
        return "%s/%s%s" % (group, plural, "/" + name if name else self._query())

    def _everywhere(self) -> bool:
        return "all-namespaces" in self.flags or "A" in self.flags

    def _query(self) -> str:
        """The selectors of a list."""
        names = {"field-selector": "fieldSelector", "selector": "labelSelector", "l": "labelSelector"}
        found = {names[flag]: value for flag, value in self.flags.items() if flag in names}
        if not found:
            return ""
        from urllib.parse import urlencode  # most commands have no selector, and it takes long to import

        return "?" + urlencode(found)

    def _ask(self, api: client.Client, method: str, path: str, body: Any = None, doing: str = "") -> Any:
        try:
            return api.request(method, path, body)
        except client.Refused as refusal:
            message = str(refusal)
            if path.startswith(("/readyz", "/livez", "/healthz")) and refusal.code == 500:
                message = "an error on the server (%s) has prevented the request from succeeding" % json.dumps(message)
            if refusal.reason == "Unauthorized":
                raise Failure("error: You must be logged in to the server (Unauthorized)") from None
            raise Failure("Error from server (%s): %s%s" % (refusal.reason, doing, message)) from None

    def command_version(self, api: client.Client) -> None:
        print(
            "Client Version: %s\nServer Version: %s"
            % (self.node.release, self._ask(api, "GET", "/version")["gitVersion"])
        )

    def command_get(self, api: client.Client) -> None:
        if "raw" in self.flags:
            answer = self._ask(api, "GET", self.flags["raw"])
            sys.stdout.write(answer if isinstance(answer, str) else json.dumps(answer) + "\n")
            return
        kind, _unused, name = (self.words + [""])[1].partition("/")
        name = name or (self.words + ["", ""])[2]
        answers = [self._ask(api, "GET", self._path(one, name)) for one in kind.split(",")]
        answer = answers[0]
        if len(answers) > 1:
            items = [item for one, found in zip(kind.split(","), answers) for item in _typed(one, found["items"])]
            answer = {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": ""}, "items": items}
        elif "items" in answer:
            # kubectl shows every list as one of the same kind, and says for each item what it is.
            answer = {**answer, "kind": "List", "items": _typed(kind, answer["items"])}
        kind = kind.partition(",")[0]
        output = self.flags.get("output", "")
        if output == "json":
            print(json.dumps(answer, indent=4))
            return
        items = answer["items"] if answer.get("kind") == "List" else [answer]
        if output == "name":
            print("\n".join("%s/%s" % (item["kind"].lower(), item["metadata"]["name"]) for item in items))
        elif _KINDS[kind.lower()] == "nodes":
            print("%-16s %-10s %-28s %s" % ("NAME", "STATUS", "ROLES", "VERSION"))
            for item in items:
                print("%-16s %-10s %-28s %s" % _row(item))
        elif not items:
            print("No resources found in %s namespace." % self.flags.get("namespace", "default"))
        elif _KINDS[kind.lower()] == "leases":
            print("%-40s %s" % ("NAME", "HOLDER"))
            for item in items:
                print("%-40s %s" % (item["metadata"]["name"], item["spec"].get("holderIdentity", "")))
        else:
            print("NAME\n" + "\n".join(item["metadata"]["name"] for item in items))

    def _object(self) -> tuple[Any, str]:
        source = self.flags.get("filename", "")
        if not source:
            raise Failure("error: must specify one of -f and -k")
        if source == "-":
            data, source = sys.stdin.buffer.read(), "STDIN"
        else:
            with open(source, "rb") as handle:
                data = handle.read()
        try:
            content = json.loads(data)
        except ValueError:
            from stand_in import go_yaml

            content = go_yaml.plain(data)
        if not isinstance(content, dict) or not content.get("kind"):
            raise Failure('error: error validating "%s": error validating data: kind not set' % source)
        return content, source

    def _done(self, kind: str, name: str, verb: str, answer: Any) -> None:
        if self.flags.get("output") == "json":
            print(json.dumps(answer, indent=4))
        else:
            group = ".coordination.k8s.io" if kind.lower().startswith("lease") else ""
            print("%s%s/%s %s" % (kind.lower(), group, name, verb))

    def command_create(self, api: client.Client) -> None:
        content, source = self._object()
        path = self._path(content["kind"], "", content.get("metadata", {}).get("namespace", ""))
        answer = self._ask(api, "POST", path, content, 'error when creating "%s": ' % source)
        self._done(content["kind"], answer["metadata"]["name"], "created", answer)

    def command_replace(self, api: client.Client) -> None:
        content, source = self._object()
        metadata = content.get("metadata", {})
        path = self._path(content["kind"], metadata.get("name", ""), metadata.get("namespace", ""))
        answer = self._ask(api, "PUT", path, content, 'error when replacing "%s": ' % source)
        self._done(content["kind"], answer["metadata"]["name"], "replaced", answer)

    def command_patch(self, api: client.Client) -> None:
        kind, name = self.words[1], self.words[2]
        if self.flags.get("type") != "merge":
            raise Failure("error: --type must be one of [merge], here")
        content = json.loads(self.flags.get("patch") or self.flags.get("p") or "")
        answer = self._ask(api, "PATCH", self._path(kind, name), content)
        self._done("node" if _KINDS[kind.lower()] == "nodes" else kind, name, "patched", answer)

    def command_delete(self, api: client.Client) -> None:
        kind, _unused, name = (self.words + [""])[1].partition("/")
        name = name or (self.words + ["", ""])[2]
        try:
            self._ask(api, "DELETE", self._path(kind, name))
        except Failure as failure:
            if "(NotFound)" in str(failure) and "ignore-not-found" in self.flags:
                return
            raise
        print('%s "%s" deleted' % ("lease.coordination.k8s.io" if "lease" in kind else kind, name))


def _typed(kind: str, items: list[Any]) -> list[Any]:
    return [{"apiVersion": "v1", "kind": _OBJECTS.get(_KINDS[kind.lower()], ""), **item} for item in items]


_OBJECTS = {"pods": "Pod", "secrets": "Secret", "serviceaccounts": "ServiceAccount", "namespaces": "Namespace"}


def _row(item: Any) -> tuple[str, str, str, str]:
    ready = [c for c in item["status"]["conditions"] if c["type"] == "Ready"]
    prefix = "node-role.kubernetes.io/"
    roles = ",".join(sorted(key[len(prefix) :] for key in item["metadata"]["labels"] if key.startswith(prefix)))
    status = "Ready" if ready and ready[0]["status"] == "True" else "NotReady"
    if item.get("spec", {}).get("unschedulable"):
        status += ",SchedulingDisabled"
    return item["metadata"]["name"], status, roles or "<none>", item["status"]["nodeInfo"]["kubeletVersion"]
