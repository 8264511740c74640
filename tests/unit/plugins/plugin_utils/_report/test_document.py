# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document: every host is in it, and no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.clean import clean
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import build, natural

CANARY = "c4n4ry-s3cret-Pa55"
KEY = "-----BEGIN EC PRIVATE KEY-----\n" + CANARY + "\nAAAA\n-----END EC PRIVATE KEY-----"
NOW = "2026-11-25T14:02:00Z"


def one(info: Any = None, probe: Any = None, diagnosis: Any = None, **groups: list[str]) -> dict[str, Any]:
    built = build(["n"], {"n": info}, {"n": probe}, {"n": diagnosis}, groups, NOW)
    found: dict[str, Any] = built["hosts"]["n"]
    return found


def test_every_host_is_in_it_in_natural_order() -> None:
    built = build(["edge-10", "edge-2", "edge-1"], {}, {}, {}, {}, NOW)
    assert list(built["hosts"]) == ["edge-1", "edge-2", "edge-10"]
    assert (built["schema"], built["generated"]) == (1, NOW)


def test_names_of_any_kind_can_be_sorted() -> None:
    assert sorted(["10.0.0.2", "a", "10.0.0.10", "", "2a", "²"], key=natural)[:2] == ["", "2a"]


def test_results_become_the_parts_of_a_host() -> None:
    found = one({"info": {"role": "server", "state": "loaded"}}, {"endpoints": [{"cause": "ok"}]}, {"pulls": [{}]})
    assert found["info"] == {"role": "server", "state": "loaded"}
    assert found["endpoints"] == [{"cause": "ok"}]
    assert found["pulls"] == [{}]
    assert found["group"] == "server"


def test_the_inventory_says_what_a_node_is() -> None:
    assert one({"info": {"role": "agent"}}, server=["n"])["group"] == "server"
    assert one(None, agent=["other"])["group"] == ""


def test_an_unreachable_host_says_why() -> None:
    found = one({"unreachable": True, "msg": "no route"}, {"skipped": True}, None)
    assert found["unreachable"] == "no route"
    assert found["info"] is None


def test_a_failed_module_is_named_with_its_message() -> None:
    found = one({"info": {"state": "loaded"}}, {"failed": True, "msg": "no python"})
    assert found["errors"] == [{"module": "k3s_registry_probe", "message": "no python"}]
    assert found["unreachable"] == ""


@pytest.mark.parametrize("result", [None, "text", [], {"endpoints": "text", "info": "text", "pulls": ["text"]}])
def test_what_is_no_result_is_nothing(result: Any) -> None:
    found = one(result, result, result)
    assert (found["info"], found["endpoints"], found["pulls"]) == (None, [], [])


@pytest.mark.parametrize(
    "place",
    [
        {"auth": {"password": CANARY}},
        {"auth": {"username": "robot", "auth": CANARY, "identity_token": CANARY}},
        {"auth": CANARY},
        {"tls": {"key_content": KEY}},
        {"diff": f"-      password: {CANARY}\n+      password: other"},
        {"diff": f' [plugins."io.containerd.grpc.v1.cri".registry.configs."r".auth]\n   password = "{CANARY}"'},
        {"diff": f"   auth: {CANARY}"},
        {"endpoint": f"https://robot:{CANARY}@registry.example.com"},
        {"evidence": [f'msg="GET https://blobs.example.com/x?X-Amz-Signature={CANARY}"']},
        {"message": f"Authorization: Bearer {CANARY}1234"},
        {"value": f"http://user:{CANARY}@proxy.example.com:3128"},
        {"anything": KEY},
    ],
)
def test_no_secret_gets_into_the_document(place: dict[str, Any]) -> None:
    result = {"info": place, "endpoints": [place], "pulls": [place]}
    built = build(["n"], {"n": result}, {"n": result}, {"n": result}, {}, NOW)
    assert CANARY not in json.dumps(built)


@pytest.mark.parametrize("why", ["unreachable", "failed"])
def test_no_secret_gets_in_with_an_error(why: str) -> None:
    said = {why: True, "msg": f'cannot reach https://u:{CANARY}@h: {{"auth": "{CANARY}", "password": "{CANARY}"}}'}
    assert CANARY not in json.dumps(one(said))


def test_what_is_no_secret_stays() -> None:
    kept = {
        "auth": "bearer",
        "message": "registry.example.com:5000 refuses the password: set configs.auth.password.",
        "tls": {"ca_file": "/etc/ca.crt", "insecure_skip_verify": True},
        "days_left": 3,
        "status": None,
    }
    assert {**clean(kept), "message": ""} == {**kept, "message": ""}
    assert clean({"auth": {"username": "robot"}, "password": ""}) == {"auth": {"username": "robot"}, "password": ""}
