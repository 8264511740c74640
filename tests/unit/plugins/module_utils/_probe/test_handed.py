# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry asked with what the kubelet would hand containerd for a pull."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.handed import ask_registry, results
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import endpoint_targets, image_targets
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image
from probing import PASSWORD, planned
from test_answers import basic

from tests.registry_faults import servers
from tests.registry_faults.servers import Reply, Request


def asked(port: int, *mirrors: int, password: str = PASSWORD, default_endpoint: bool = True) -> dict[str, Any]:
    """What the registry on a port says, whose images come from mirrors first, if there are any."""
    registry = "127.0.0.1:%d" % port
    config: dict[str, Any] = {
        "mirrors": {registry: {"endpoint": ["http://127.0.0.1:%d" % mirror for mirror in mirrors]}},
    }
    if default_endpoint:
        config["configs"] = {registry: {"auth": {"username": "robot", "password": "another one that is not used"}}}
    node = planned(config, default_endpoint)
    return ask_registry(node, {}, 5.0, registry + "/team/app", "robot", password)


@pytest.fixture
def server(opened: Callable[[Any], Any]) -> Any:
    return opened(servers.HttpServer(basic(servers.Store())))


def test_it_is_asked_with_the_credential_and_not_with_those_of_the_configuration(server: Any) -> None:
    assert (asked(server.port)["cause"], asked(server.port)["findings"]) == ("ok", [])
    wrong = asked(server.port, password="wrong-CANARY")
    assert (wrong["cause"], "the identity that the provider uses" in wrong["fix"]) == ("unauthorized", True)
    assert "CANARY" not in json.dumps(wrong)


def test_a_mirror_is_named_and_not_asked(server: Any, opened: Callable[[Any], Any]) -> None:
    seen: list[Request] = []

    def app(request: Request) -> Reply:
        seen.append(request)
        return Reply(200)

    mirror = opened(servers.HttpServer(app))
    found = asked(server.port, mirror.port)
    assert found["cause"] == "ok"
    assert found["findings"] == [
        "containerd sends what it gives for 127.0.0.1:%d to 127.0.0.1:%d as well, which is asked for the same images"
        % (server.port, mirror.port)
    ]
    assert seen == []


def test_a_registry_that_containerd_does_not_ask_is_not_asked_either(server: Any) -> None:
    found = asked(server.port, 1, default_endpoint=False)
    assert (found["cause"], "only its mirrors" in found["message"]) == ("not_asked", True)
    assert asked(server.port, server.port, default_endpoint=False)["cause"] == "ok"


def test_a_mirror_for_which_the_node_has_the_same_is_asked(server: Any) -> None:
    host = "127.0.0.1:%d" % server.port
    for known, cause in ((PASSWORD, "ok"), ("another", "not_asked")):
        auth = {"username": "robot", "password": known}
        node = planned({
            "mirrors": {"images.test": {"endpoint": ["http://" + host]}}, "configs": {host: {"auth": auth}}
        }, False)  # fmt: skip
        assert ask_registry(node, {}, 5.0, "images.test/team/app", "robot", PASSWORD)["cause"] == cause


def test_a_name_that_is_none_is_not_asked() -> None:
    assert ask_registry(planned({}), {}, 1.0, "Registry/UPPER", "robot", PASSWORD)["cause"] == "not_asked"


@pytest.mark.parametrize(
    ("own_password", "given_password", "cause"),
    [("", PASSWORD, "ok"), ("", "", "unauthorized"), ("not the password", PASSWORD, "unauthorized")],
)
def test_a_registry_without_credentials_of_the_node_s_own_is_probed_with_what_a_provider_gives(
    server: Any, own_password: str, given_password: str, cause: str
) -> None:
    registry = "127.0.0.1:%d" % server.port
    config: dict[str, Any] = {"mirrors": {registry: {"endpoint": ["http://" + registry]}}}
    if own_password:
        config["configs"] = {registry: {"auth": {"username": "robot", "password": own_password}}}
    node = planned(config, False)
    said = results(
        node,
        {},
        5.0,
        True,
        endpoint_targets(node),
        lambda *_about: ("robot", given_password) if given_password else None,
    )
    assert [item["cause"] for item in said] == [cause]
    assert PASSWORD not in json.dumps(said)


def test_a_mirror_of_another_registry_is_not_told_what_a_provider_gives(
    server: Any, opened: Callable[[Any], Any]
) -> None:
    asked_for: list[tuple[str, str]] = []
    bearing: list[str] = []

    def app(request: Request) -> Reply:
        bearing.append(request.headers.get("Authorization", ""))
        return Reply(200)

    mirror = opened(servers.HttpServer(app))
    registry = "127.0.0.1:%d" % server.port
    endpoints = ["http://127.0.0.1:%d" % mirror.port, "http://" + registry]
    node = planned({"mirrors": {registry: {"endpoint": endpoints}}}, False)

    def given(*about: str) -> tuple[str, str]:
        asked_for.append((about[0], about[1]))
        return "robot", PASSWORD

    image = parse_image(registry + "/team/app:1")
    said = results(node, {}, 5.0, True, [*endpoint_targets(node), *image_targets(node, [image])], given)
    assert [item["endpoint"] for item in said] == [endpoint + "/v2" for endpoint in endpoints * 2]
    assert said[1]["cause"] == "ok"
    assert set(asked_for) == {(registry, ""), (registry, registry + "/team/app")}
    assert set(bearing) == {""}
