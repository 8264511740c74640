# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that are in force without a restart, and that K3s has not read yet."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.store import Login, Store
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.changes import applied, changes
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import kubernetes
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import auth_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml

from tests.unit.plugins.plugin_utils._info.node import Node

CONFIG: dict[str, Any] = {
    "mirrors": {"docker.io": {"endpoint": ["https://r.example.com:5000"]}},
    "configs": {"r.example.com:5000": {"auth": {"username": "robot", "password": "0ld-c4n4ry-Pa55"}}},
}


def rotated(node: Node, monkeypatch: pytest.MonkeyPatch, *pods: dict[str, Any], answers: bool = True) -> dict[str, Any]:
    """A node on which a new password has come into force without a restart, and these pods since."""
    node.apply(CONFIG)
    node.start()
    changed = copy.deepcopy(CONFIG)
    changed["configs"]["r.example.com:5000"]["auth"]["password"] = "n3w-c4n4ry-Pa55"
    node.apply(changed)
    texts, tables = hosts_toml(normalise(changed)), auth_tables(normalise(changed))
    needed = changes(texts, auth_tables(normalise(CONFIG)), tables)
    for host, text in applied(texts, needed.headers).items():
        node.write(text, "%s/%s/hosts.toml" % (node.paths.certs_d, host), 3600)
    monkeypatch.setattr(
        kubernetes, "get_object", lambda _paths, *_arguments: {"items": list(pods)} if answers else None
    )
    found = node.info()
    assert "n3w-c4n4ry-Pa55" not in json.dumps(found)
    assert "Basic" not in json.dumps(found)
    return found


def a_pod(image: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "apps", "name": "web"},
        "spec": {"imagePullSecrets": [{"name": "x"}], "containers": [{"image": image}]},
    }


def test_credentials_that_wait_for_the_next_start_are_no_drift(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    found = rotated(node, monkeypatch, a_pod("quay.io/x"))
    assert (found["state"], found["differences"]) == ("loaded", [])
    assert found["waiting"] == {"since": "2001-09-09T02:46:40Z", "hosts": ["r.example.com:5000"]}
    (problem,) = found["problems"]
    assert (problem["code"], problem["level"]) == ("live_credentials", "info")
    assert "r.example.com:5000 are live since 2001-09-09" in problem["message"]
    assert "settled at the next start" in problem["message"]
    node.start()
    assert (node.info()["waiting"], node.info()["problems"]) == ({"since": "", "hosts": []}, [])


@pytest.mark.parametrize(
    ("pods", "answers", "said"), [((a_pod("nginx"),), True, "(pod apps/web)"), ((), False, "is not known")]
)
def test_pods_that_came_since_are_a_warning(
    node: Node, monkeypatch: pytest.MonkeyPatch, pods: tuple[Any, ...], answers: bool, said: str
) -> None:
    found = rotated(node, monkeypatch, *pods, answers=answers)
    (problem,) = [item for item in found["problems"] if item["level"] == "warning"]
    assert problem["code"] == "live_credentials_pods"
    assert said in problem["message"]
    assert "settle" in problem["fix"]


def handed_out(node: Node, *stored: str) -> dict[str, Any]:
    """What is known of a node that got a new password, and whose kubelet hands it out for these registries."""
    node.apply(CONFIG)
    node.start()
    changed = copy.deepcopy(CONFIG)
    changed["configs"]["r.example.com:5000"]["auth"]["password"] = "n3w-c4n4ry-Pa55"
    node.apply(changed)
    store = Store({registry: Login("robot", "n3w-c4n4ry-Pa55") for registry in stored})
    node.write(store.content(), node.paths.credential_store, 3600)
    found = node.info()
    assert "n3w-c4n4ry-Pa55" not in json.dumps(found)
    return found


def test_credentials_that_the_kubelet_hands_out_are_no_drift(node: Node) -> None:
    node.default_endpoint = False
    node.command = [*node.command, "--disable-default-registry-endpoint"]
    found = handed_out(node, "docker.io", "r.example.com:5000")
    assert (found["state"], found["differences"]) == ("loaded", [])
    assert found["waiting"] == {"since": "2001-09-09T02:46:40Z", "hosts": ["r.example.com:5000"]}
    (problem,) = found["problems"]
    assert (problem["code"], problem["level"]) == ("stored_credentials", "info")
    assert "r.example.com:5000 are live since 2001-09-09" in problem["message"]
    node.start()
    assert (node.info()["waiting"], node.info()["problems"]) == ({"since": "", "hosts": []}, [])


@pytest.mark.parametrize("stored", [("r.example.com:5000",), ()])
def test_those_that_something_else_still_uses_are(node: Node, stored: tuple[str, ...]) -> None:
    found = handed_out(node, *stored)
    assert (found["state"], found["waiting"]["hosts"]) == ("drifted", [])


def test_headers_of_others_are_drift(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    rotated(node, monkeypatch)
    path = Path(node.paths.certs_d, "docker.io", "hosts.toml")
    node.write(path.read_text().replace('"Basic ', '"Basic bWluZTptaW5l'), str(path), 3600)
    found = node.info()
    assert found["differences"]
    assert found["waiting"]["hosts"] == []
    assert "bWluZTptaW5l" not in json.dumps(found)
