# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who brings credentials of their own, out of what the API lists."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials import pull_secrets
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.pull_secrets import (
    ANY,
    Bringer,
    Unavailable,
    asked,
    collected,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.admin import Answer
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import node_paths


def pod(
    name: str, *images: str, node: str = "one", secret: bool = True, account: str = "default", phase: str = "Running"
):  # type: ignore[no-untyped-def]
    spec: dict[str, Any] = {
        "nodeName": node, "serviceAccountName": account, "containers": [{"image": image} for image in images]
    }  # fmt: skip
    if secret:
        spec["imagePullSecrets"] = [{"name": "login"}]
    return {"metadata": {"namespace": "apps", "name": name}, "spec": spec, "status": {"phase": phase}}


def account(name: str, secret: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "apps", "name": name},
        "imagePullSecrets": [{"name": "login"}] if secret else [],
    }


def test_pods_with_secrets_by_the_registries_of_their_images() -> None:
    found = collected([], [pod("a", "nginx", "quay.io/x/y:1"), pod("b", "ghcr.io/x", secret=False)])
    assert found == [Bringer("pod apps/a", "one", ("docker.io", "quay.io"))]


def test_containers_of_every_kind_and_image_volumes_count() -> None:
    item = pod("a", "one.test/x")
    item["spec"].update(
        initContainers=[{"image": "two.test/x"}], ephemeralContainers=[{"image": "three.test/x"}],
        volumes=[{"name": "v"}, {"image": {"reference": "four.test/x"}}],
    )  # fmt: skip
    assert collected([], [item])[0].registries == ("four.test", "one.test", "three.test", "two.test")


def test_a_node_and_a_registry_are_said_once_and_pods_that_have_ended_not_at_all() -> None:
    pods = [
        pod("a", "nginx"),
        pod("b", "nginx"),
        pod("c", "nginx", node="two"),
        pod("d", "x.test/y", phase="Succeeded"),
    ]
    assert [(item.who, item.node) for item in collected([], pods)] == [("pod apps/a", "one"), ("pod apps/c", "two")]


def test_service_accounts_count_everywhere_for_what_their_pods_pull() -> None:
    accounts = [account("with"), account("without", secret=False), account("unused")]
    found = collected(accounts, [pod("a", "quay.io/x", secret=False, account="with")])
    assert found == [
        Bringer("service account apps/unused", "", (ANY,)),
        Bringer("service account apps/with", "", ("quay.io",)),
    ]


@pytest.mark.parametrize("item", [{}, {"spec": None}, {"spec": {"containers": [None, {"image": 1}], "volumes": "x"}}])
def test_odd_objects_are_nothing(item: dict[str, Any]) -> None:
    assert collected([], [item]) == []


def test_an_image_that_is_none_may_be_from_anywhere() -> None:
    assert collected([], [pod("a", "UPPER/x:::")])[0].registries == (ANY,)


class Api:
    """What the API answers, by path; each list comes in pages of two."""

    def __init__(self, pods: list[Any], accounts: list[Any]) -> None:
        self.items = {"pods": pods, "serviceaccounts": accounts}
        self.paths: list[str] = []
        self.fails = Answer(0, "")

    def get(self, _found: Any, _address: Any, path: str, timeout: float) -> Answer:
        self.paths.append(path)
        kind = path.split("/")[-1].partition("?")[0]
        if self.fails.text and kind == "pods":
            return self.fails
        start = int(path.partition("&continue=")[2] or 0)
        more = str(start + 2) if start + 2 < len(self.items[kind]) else ""
        page = {"metadata": {"continue": more}, "items": self.items[kind][start : start + 2]}
        return Answer(200, json.dumps(page))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api([pod(name, "%s.test/x" % name) for name in "abcde"], [account("unused")])
    monkeypatch.setattr(
        pull_secrets.admin, "credentials", lambda paths: pull_secrets.admin.Credentials(("h", 1), None, "")
    )  # type: ignore[arg-type]
    monkeypatch.setattr(pull_secrets.admin, "get", made.get)
    return made


def test_the_whole_cluster_is_asked_page_by_page(api: Api) -> None:
    assert len(asked(node_paths(node_role="server"))) == 6
    assert [path for path in api.paths if "/pods?" in path][1:] == [
        "/api/v1/pods?limit=100&continue=2", "/api/v1/pods?limit=100&continue=4"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "answer", [Answer(0, "no answer in time"), Answer(403, "x"), Answer(200, "<html>"), Answer(200, "[]")]
)
def test_what_cannot_be_asked_is_said(api: Api, answer: Answer) -> None:
    api.fails = answer
    with pytest.raises(Unavailable, match="pods"):
        asked(node_paths(node_role="server"))
