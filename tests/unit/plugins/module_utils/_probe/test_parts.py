# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts: challenges, token requests, platforms, URLs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.endpoint_checks import api_url
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.platform import (
    best_of,
    is_runnable,
    node_platform,
    platform_text,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.advice import ADVICE
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.causes import classify
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http import dial
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.challenge import (
    Challenge,
    parse_challenges,
    scopes,
    token_form,
    token_url,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import (
    Failure,
    connection_failure,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.messages import shown
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_hosts import Host
from hypothesis import given
from hypothesis import strategies as st
from probing import mirrored, one

from tests.registry_faults import servers
from tests.registry_faults.servers import Reply


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        (['Basic realm="r"'], [("basic", {"realm": "r"})]),
        (
            ['Basic realm="r"', "Digest n=x", 'Bearer realm="https://t",service="a b"'],
            [("bearer", {"realm": "https://t", "service": "a b"}), ("digest", {"n": "x"}), ("basic", {"realm": "r"})],
        ),
        (['BEARER Realm="https://t" , SCOPE="repository:a/b:pull,push"'],
         [("bearer", {"realm": "https://t", "scope": "repository:a/b:pull,push"})]),
        ([r'Bearer realm="a\"b\\c"'], [("bearer", {"realm": r'a"b\c'})]),
        (["Negotiate", "", "=", "Bearer"], [("bearer", {})]),
        (['Bearer realm="t", error=invalid_token'], [("bearer", {"realm": "t", "error": "invalid_token"})]),
    ],
)  # fmt: skip
def test_challenges(headers: list[str], wanted: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges(headers) == [Challenge(*challenge) for challenge in wanted]


@given(st.lists(st.text(max_size=60), max_size=3))
def test_any_header_is_read(headers: list[str]) -> None:
    for challenge in parse_challenges(headers):
        assert challenge.scheme in ("basic", "bearer", "digest")


def test_token_requests() -> None:
    challenge = Challenge("bearer", {"scope": "repository:team/app:pull registry:catalog:*"})
    wanted = scopes("mirror/app", challenge)
    assert wanted == ["registry:catalog:*", "repository:mirror/app:pull", "repository:team/app:pull"]
    assert scopes("team/app", Challenge("bearer", {"scope": "repository:team/app:pull"})) == [
        "repository:team/app:pull"
    ]
    assert scopes("", Challenge("bearer", {})) == []
    url = urlsplit(token_url("https://t.test/token?a=b", "my registry", wanted))
    assert parse_qs(url.query) == {"a": ["b"], "service": ["my registry"], "scope": wanted}
    form = parse_qs(token_form("robot", "p&=+ ü", "s", wanted).decode())
    assert (form["grant_type"], form["password"], form["scope"]) == (["password"], ["p&=+ ü"], [" ".join(wanted)])
    assert parse_qs(token_form("", "t", "s", []).decode())["refresh_token"] == ["t"]


def test_digest_alone_is_not_answered(opened: Callable[[Any], Any]) -> None:
    asks = servers.HttpServer(lambda _request: Reply(401, {"WWW-Authenticate": 'Digest realm="x",nonce="y"'}))
    server = opened(asks)
    result = one(mirrored(server.port, "http", auth={"username": "a", "password": "bcde"}))
    assert (result["cause"], result["auth"]) == ("unauthorized", "none")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("machine", "runs", "does_not"),
    [
        ("x86_64", ["amd64", "386"], ["arm64", "arm/v7", "windows"]),
        ("aarch64", ["arm64", "arm/v8", "arm/v7", "arm/v5"], ["amd64", "386"]),
        ("armv7l", ["arm/v7", "arm/v6", "arm"], ["arm/v8", "arm64"]),
        ("armv6l", ["arm/v6", "arm/v5"], ["arm/v7", "arm"]),
        ("riscv64", ["riscv64"], ["amd64"]),
    ],
)
def test_platforms(machine: str, runs: list[str], does_not: list[str]) -> None:
    def entry(text: str) -> dict[str, str]:
        if text == "windows":
            return {"os": "windows", "architecture": "amd64"}
        architecture, _slash, variant = text.partition("/")
        return {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}

    platform = node_platform(machine)
    assert [text for text in runs + does_not if is_runnable(entry(text), platform)] == runs
    assert is_runnable(None, platform)


def test_a_node_takes_its_own_architecture_first() -> None:
    def index(*platforms: tuple[str, str]) -> list[dict[str, Any]]:
        return [
            {"digest": f"{name}{variant}", "platform": {"os": "linux", "architecture": name, "variant": variant}}
            for name, variant in platforms
        ]

    entries = index(("386", ""), ("arm", "v6"), ("arm", "v7"), ("arm64", "v8"), ("amd64", ""))
    taken = {}
    for machine in ("x86_64", "aarch64", "armv7l", "armv6l", "s390x"):
        best = best_of(entries, node_platform(machine))
        taken[machine] = best and best["digest"]
    assert taken == {"x86_64": "amd64", "aarch64": "arm64v8", "armv7l": "armv7", "armv6l": "armv6", "s390x": None}
    assert best_of([{"digest": "x"}], node_platform("s390x")) == {"digest": "x"}


def test_platforms_have_names() -> None:
    assert platform_text(node_platform("x86_64")) == "linux/amd64"
    assert platform_text(node_platform("aarch64")) == "linux/arm64"
    assert platform_text(node_platform("armv7l")) == "linux/arm/v7"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v2", "/v2/"),
        ("/v2/project", "/v2/"),
        ("/api/docker/hub/v2", "/api/docker/hub/v2/"),
        ("/project", "/project/"),
    ],
)
def test_where_an_api_is_asked(path: str, wanted: str) -> None:
    assert api_url(Host(False, "", "https", "r.test:5000", path, {}, {})) == "https://r.test:5000" + wanted


def test_urls_are_shown_without_what_may_be_secret() -> None:
    assert shown("https://u:p@r.test/v2/a/manifests/1?ns=docker.io") == "https://r.test/v2/a/manifests/1?ns=docker.io"
    assert shown("https://s3.test/blob?X-Amz-Signature=CANARY") == "https://s3.test/blob?..."


@pytest.mark.parametrize(
    ("number", "go"),
    [
        (111, "dial tcp 10.0.0.1:5000: connect: connection refused"),
        (113, "dial tcp 10.0.0.1:5000: connect: no route to host"),
        (101, "dial tcp 10.0.0.1:5000: connect: network is unreachable"),
        (110, "dial tcp 10.0.0.1:5000: connect: connection timed out"),
        (104, "read tcp 10.0.0.1:1->10.0.0.1:5000: read: connection reset by peer"),
        (32, "write tcp 10.0.0.1:1->10.0.0.1:5000: write: broken pipe"),
        (1, "dial tcp 10.0.0.1:5000: connect: operation not permitted"),
    ],
)
def test_an_errors_cause_is_that_of_gos_words_for_it(number: int, go: str) -> None:
    found = connection_failure(OSError(number, "words"), "connect")
    assert found.cause in ADVICE
    assert found.cause == classify(f'failed to do request: Head "https://r.test:5000/v2/": {go}').cause


def test_a_connection_that_the_server_closes_between_requests_is_no_failure(opened: Callable[[Any], Any]) -> None:
    """A kept connection may be gone by the next request; only a fresh one tells of the registry."""
    store = servers.Store()
    store.image("team/app", "1")
    server = opened(servers.HttpServer(store, close_after_each=True))
    result = one(mirrored(server.port, "http"), "mirrored.example.com/team/app:1")
    assert result["cause"] == "ok", result
    assert len(server.requests) > 3


class Unrouted:
    """A socket whose connect() is heard by nobody, until its time is over."""

    def __init__(self, reason: OSError | None = None) -> None:
        self._reason = reason
        self._seconds = 0.0
        self.closed = False

    def settimeout(self, seconds: float) -> None:
        self._seconds = seconds

    def connect(self, _address: object) -> None:
        if self._reason is None:
            threading.Event().wait(self._seconds)
        raise self._reason or TimeoutError

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("reason", [None, OSError(101, "Network is unreachable")])
def test_a_node_whose_ipv6_leads_nowhere_connects_by_ipv4(
    opened: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch, reason: OSError | None
) -> None:
    """And does not wait for the share of the time that the first address has."""
    server = opened(servers.RawServer(servers.silent))
    names = ("SOCK_STREAM", "IPPROTO_TCP", "TCP_NODELAY")
    sockets = SimpleNamespace(**{name: getattr(socket, name) for name in names})
    sockets.socket = lambda family, *more: Unrouted(reason) if family == 10 else socket.socket(family, *more)
    monkeypatch.setattr(dial, "socket", sockets)
    addresses = [
        (10, socket.SOCK_STREAM, 6, "", ("2001:db8::1", server.port, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port)),
    ]
    started = time.monotonic()
    dial.connect(addresses, "r.test", Deadline(60)).close()
    assert time.monotonic() - started < 20
    with servers.closed_port() as port:
        addresses[1] = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        with pytest.raises(Failure) as failure:
            dial.connect(addresses, "r.test", Deadline(1))
    # Whichever family has failed first.
    assert failure.value.cause == ("no_route" if reason else "connection_refused")
