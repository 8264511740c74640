# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods in the stand-in's API, who may see them, and what its kubelet makes of them."""

from __future__ import annotations

import base64
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stand_in import api, client, cri, pods, store, workloads
from stand_in.https import Request
from stand_in.keyring import Login

from tests.fleet import workloads as fleet_workloads
from tests.fleet.state import Fleet, Node, Registry


class Asked:
    """The API of a server without ports: what the admin, or a kubelet, is answered."""

    def __init__(self, folder: Path) -> None:
        self.store = store.SQLite(SimpleNamespace(data_dir=str(folder)))
        self.store.start()
        node = SimpleNamespace(program="k3s", api_port=1, supervisor_port=1, data_dir=str(folder), release="v1")
        self.api = api.API(node, self.store, SimpleNamespace(has=lambda fault: False))
        self.api.serve_api()

    def ask(self, method: str, path: str, body: Any = None, node: str = "") -> tuple[int, Any]:
        path, _mark, query = path.partition("?")
        data = b"" if body is None else json.dumps(body).encode()
        user, groups = ("system:node:" + node, ["system:nodes"]) if node else ("system:admin", ["system:masters"])
        return self.api._answered(self.api._kubernetes)(Request(method, path, query, data, user, groups, True))

    def create(self, plural: str, name: str, namespace: str = "default", **more: Any) -> tuple[int, Any]:
        return self.ask("POST", "/api/v1/namespaces/%s/%s" % (namespace, plural), {"metadata": {"name": name}, **more})

    def pod(self, name: str, node: str = "agent-1", **spec: Any) -> tuple[int, Any]:
        return self.create("pods", name, spec={"nodeName": node, "containers": [], **spec})


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


def _names(answer: tuple[int, Any]) -> list[str]:
    assert answer[0] == 200, answer
    return [item["metadata"]["name"] for item in answer[1]["items"]]


def test_a_pod_without_secrets_gets_those_that_its_service_account_has_now(asked: Asked) -> None:
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    found = asked.ask("GET", account)[1]
    asked.ask("PUT", account, {**found, "imagePullSecrets": [{"name": "s"}]})
    assert asked.pod("one")[1]["spec"]["imagePullSecrets"] == [{"name": "s"}]
    assert asked.pod("two", imagePullSecrets=[{"name": "own"}])[1]["spec"]["imagePullSecrets"] == [{"name": "own"}]
    status, answer = asked.pod("three", serviceAccountName="nobody")
    assert status == 403
    assert "error looking up service account default/nobody" in answer["message"]


def test_what_is_asked_of_the_whole_cluster_comes_from_every_namespace_and_in_pages(asked: Asked) -> None:
    for namespace in ("default", "kube-system"):
        for number in range(2):
            asked.create("pods", "p%d" % number, namespace, spec={"nodeName": "agent-%d" % number})
    assert _names(asked.ask("GET", "/api/v1/pods")) == ["p0", "p1", "p0", "p1"]
    assert _names(asked.ask("GET", "/api/v1/namespaces/default/pods")) == ["p0", "p1"]
    assert _names(asked.ask("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dagent-1")) == ["p1", "p1"]
    first = asked.ask("GET", "/api/v1/pods?limit=3")
    assert _names(first) == ["p0", "p1", "p0"]
    rest = asked.ask("GET", "/api/v1/pods?limit=3&continue=" + first[1]["metadata"]["continue"])
    assert _names(rest) == ["p1"]
    assert "continue" not in rest[1]["metadata"]
    assert _names(asked.ask("GET", "/api/v1/serviceaccounts")) == ["default"] * 4


def test_a_kubelet_sees_its_own_pods_and_what_they_refer_to(asked: Asked) -> None:
    for name in ("mine", "other"):
        asked.create("secrets", name, stringData={"a": "b"})
    asked.pod("one", imagePullSecrets=[{"name": "mine"}])
    asked.pod("two", "agent-2", imagePullSecrets=[{"name": "other"}])

    def seen(path: str) -> int:
        return asked.ask("GET", "/api/v1/" + path, node="agent-1")[0]

    assert seen("pods?fieldSelector=spec.nodeName%3Dagent-1") == 200
    assert seen("pods?fieldSelector=spec.nodeName%3Dagent-2") == 403
    assert seen("pods") == 403
    assert seen("namespaces/default/pods/one") == 200
    assert seen("namespaces/default/pods/two") == 403
    assert seen("namespaces/default/secrets/mine") == 200
    assert seen("namespaces/default/secrets/other") == 403
    assert seen("namespaces/default/secrets") == 403
    assert seen("namespaces/default/serviceaccounts/default") == 200
    assert asked.ask("GET", "/api/v1/namespaces/default/secrets/mine")[1]["data"] == {
        "a": base64.b64encode(b"b").decode()
    }
    status, _answer = asked.ask("DELETE", "/api/v1/namespaces/default/pods/one", node="agent-1")
    assert status == 403


def test_a_kubelet_writes_its_pods_status_and_nothing_else_of_them(asked: Asked) -> None:
    found = asked.pod("one")[1]
    changed = {**found, "spec": {"nodeName": "agent-2"}, "status": {"phase": "Running"}}
    status, answer = asked.ask("PUT", "/api/v1/namespaces/default/pods/one/status", changed, node="agent-1")
    assert status == 200
    assert (answer["spec"]["nodeName"], answer["status"]["phase"]) == ("agent-1", "Running")


def test_who_waits_for_news_is_answered_when_there_are_some(asked: Asked) -> None:
    def watch(known: str) -> list[str]:
        path = "/api/v1/pods?fieldSelector=spec.nodeName%3Dagent-1&watch=true&resourceVersion=" + known
        return _names(asked.ask("GET", path, node="agent-1"))

    assert watch("") == []
    later = threading.Timer(0.3, lambda: asked.pod("one"))
    later.start()
    assert watch(workloads.NONE) == ["one"]
    later.join()


class FakeRuntime:
    """Has the images that were pulled; pulls with the right login only."""

    def __init__(self, good: Login | None) -> None:
        self.good = good
        self.pulls: list[tuple[str, Login | None]] = []
        self.there: dict[str, cri.Image] = {}

    def image(self, name: str, _timeout: float) -> cri.Image | None:
        return self.there.get(name)

    def pull(self, name: str, _timeout: float, login: Login | None = None) -> str:
        self.pulls.append((name, login))
        if login != self.good:
            raise cri.CRIError("Unknown", "401 Unauthorized")
        self.there[name] = cri.Image("id", [name], [], 1, False)
        return "id"


class Kubelet:
    """One that talks to ``asked`` and pulls with a fake runtime."""

    def __init__(self, asked: Asked, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch, given: list[Login]) -> None:
        def request(_self: Any, method: str, path: str, body: Any = None) -> Any:
            status, answer = asked.ask(method, path, body, node="agent-1")
            if status > 299:
                raise client.Refused(status, answer)
            return answer

        monkeypatch.setattr(pods.client, "Client", lambda *_: SimpleNamespace(request=lambda *a: request(None, *a)))
        monkeypatch.setattr(pods.klog, "error", lambda *_words, **_values: None)
        node = SimpleNamespace(name="agent-1", address="10.0.0.1", socket="", kubelet_kubeconfig="")
        self.providers = SimpleNamespace(lookup=lambda repository, account: given)
        self.pods = pods.Pods(node, self.providers, threading.Event())
        self.pods._runtime = runtime
        self.asked = asked

    def attempt(self, name: str) -> dict[str, Any]:
        path = "/api/v1/namespaces/default/pods/" + name
        self.pods._attempt(self.asked.ask("GET", path)[1])
        return dict(self.asked.ask("GET", path)[1]["status"])


def _secret(asked: Asked, login: Login) -> None:
    auths = {"auths": {"r.test": {"username": login.username, "password": login.password}}}
    text = {".dockerconfigjson": json.dumps(auths)}
    asked.create("secrets", "s", type="kubernetes.io/dockerconfigjson", stringData=text)


def test_secrets_are_tried_before_providers_and_nothing_without_a_login(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, good = Login("one", "x"), Login("two", "y")
    runtime = FakeRuntime(good)
    kubelet = Kubelet(asked, runtime, monkeypatch, [good])
    _secret(asked, wrong)
    container = {"name": "c", "image": "r.test/app:1"}
    asked.pod("one", containers=[container], imagePullSecrets=[{"name": "s"}, {"name": "absent"}])
    assert kubelet.attempt("one")["phase"] == "Running"
    assert runtime.pulls == [("r.test/app:1", wrong), ("r.test/app:1", good)]


def test_a_pull_that_fails_is_told_and_tried_again_later(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = FakeRuntime(Login("two", "y"))
    kubelet = Kubelet(asked, runtime, monkeypatch, [])
    uid = asked.pod("one", containers=[{"name": "c", "image": "r.test/app:1"}])[1]["metadata"]["uid"]
    status = kubelet.attempt("one")
    assert status["phase"] == "Pending"
    waiting = status["containerStatuses"][0]["state"]["waiting"]
    assert (waiting["reason"], "401 Unauthorized" in waiting["message"]) == ("ErrImagePull", True)
    assert runtime.pulls == [("r.test/app:1", None)]
    assert kubelet.pods._backoff[uid][1] == 10.0
    kubelet.attempt("one")
    assert kubelet.pods._backoff[uid][1] == 20.0


@pytest.mark.parametrize(
    ("image", "policy", "pulls"),
    [("r.test/app:1", "", 0), ("r.test/app:1", "Always", 1), ("r.test/app:latest", "", 1), ("r.test/app", "", 1),
     ("r.test/app@sha256:0", "", 0), ("r.test/app", "Never", 0)],
)  # fmt: skip
def test_when_an_image_that_is_there_is_pulled_again(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, image: str, policy: str, pulls: int
) -> None:
    runtime = FakeRuntime(None)
    runtime.there[image] = cri.Image("id", [image], [], 1, False)
    kubelet = Kubelet(asked, runtime, monkeypatch, [])
    asked.pod("one", containers=[{"name": "c", "image": image, **({"imagePullPolicy": policy} if policy else {})}])
    assert kubelet.attempt("one")["phase"] == "Running"
    assert len(runtime.pulls) == pulls


def test_what_the_fleet_creates_is_what_kubernetes_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Registry("r.test", 5000, "10.0.0.2", "robot", "secret")
    fleet = Fleet("f", "k3s", "real", "v1", "10.0.0.0/24", "t", 40, place, [Node("server-1", "server", "10.0.0.11")])
    made: list[tuple[list[str], Any]] = []

    def execute(_fleet: Fleet, _node: str, command: list[str], stdin: bytes | None = None) -> Any:
        made.append((command, json.loads(stdin or b"null")))
        return SimpleNamespace(stdout="")

    monkeypatch.setattr(fleet_workloads.nodes, "execute", execute)
    fleet_workloads.pull_secret(fleet, "s", {"r.test": ("robot", "canary-pw")})
    fleet_workloads.pod(fleet, "p", "server-1", "r.test/app:1", secrets=["s"], account="a")
    (command, secret), (_command, pod) = made
    assert "canary-pw" not in " ".join(command)
    assert json.loads(secret["stringData"][".dockerconfigjson"])["auths"]["r.test"]["password"] == "canary-pw"
    assert (pod["spec"]["nodeName"], pod["spec"]["serviceAccountName"]) == ("server-1", "a")
    assert pod["spec"]["imagePullSecrets"] == [{"name": "s"}]
