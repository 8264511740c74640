# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens, refusals and waits, against a server of this process."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Iterator

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.access import Access
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.client import RegistryClient
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure

DIGEST = "sha256:" + "1" * 64
GOOD = Access("r", username="robot", password="right").basic


class _Hub(BaseHTTPRequestHandler):
    """As Docker Hub: anonymous questions are answered 401 with the place of the token server."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str]] = []  # noqa: RUF012
    limits: list[str] = []  # noqa: RUF012

    def log_message(self, *unused: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self.seen.append((self.command, self.path))
        here = "http://%s" % self.headers["Host"]
        if self.path.startswith("/token"):
            if self.headers.get("Authorization") != GOOD:
                return self._answer(401, {}, b"{}")
            return self._answer(200, {}, json.dumps({"token": self.path.partition("scope=")[2]}).encode())
        if not self.headers.get("Authorization"):
            challenge = 'Bearer realm="%s/token?x=1",service="hub",scope="ignored"' % here
            return self._answer(401, {"WWW-Authenticate": challenge}, b"")
        if "/secret/" in self.path:
            return self._answer(401, {"WWW-Authenticate": 'Bearer realm="%s/token"' % here}, b"")
        if self.limits:
            return self._answer(429, {"Retry-After": self.limits.pop(0)}, b"")
        if "/gone/" in self.path:
            return self._answer(404, {}, b"")
        return self._answer(200, {"Docker-Content-Digest": DIGEST, "Content-Type": "x/y; charset=z"}, b"")

    do_GET = do_HEAD

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[Any]:
    _Hub.seen, _Hub.limits = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def client(hub: Any, slept: list[float]) -> RegistryClient:
    access = Access("127.0.0.1:%d" % hub.server_address[1], "http", username="robot", password="right")
    return RegistryClient(access, retries=2, sleep=slept.append)


def test_a_token_is_fetched_once_for_a_repository_and_used_again(client: RegistryClient) -> None:
    for tag in ("1", "2"):
        found = client.head("team/app", tag)
        assert found is not None
        assert (found.digest, found.media_type) == (DIGEST, "x/y")
    asked = [path for _method, path in _Hub.seen]
    assert asked[0] == "/v2/team/app/manifests/1"
    assert asked[1].startswith("/token?x=1&service=hub&scope=repository%3Ateam%2Fapp%3Apull")
    assert asked[2:] == ["/v2/team/app/manifests/1", "/v2/team/app/manifests/2"]


def test_what_is_not_there_is_none(client: RegistryClient) -> None:
    assert client.head("gone/app", "1") is None


def test_a_repository_that_a_good_token_does_not_open_concerns_itself_alone(client: RegistryClient) -> None:
    with pytest.raises(RegistryFailure) as caught:
        client.head("secret/app", "1")
    assert (caught.value.cause, caught.value.whole) == ("forbidden", False)


def test_credentials_that_the_token_server_refuses_concern_all(hub: Any) -> None:
    access = Access("127.0.0.1:%d" % hub.server_address[1], "http", username="robot", password="wr0ng-one")
    with pytest.raises(RegistryFailure) as caught:
        RegistryClient(access, "dest").head("team/app", "1")
    assert (caught.value.cause, caught.value.whole, caught.value.side) == ("token_refused", True, "dest")
    assert "wr0ng-one" not in str(caught.value)


def test_a_registry_is_left_alone_for_as_long_as_it_asks(client: RegistryClient, slept: list[float]) -> None:
    _Hub.limits = ["7", "9"]
    assert client.head("team/app", "1") is not None
    assert slept == [7.0, 9.0]


@pytest.mark.parametrize(("limits", "waits"), [(["1", "1", "1"], [1.0, 1.0]), (["3600"], [])])
def test_and_no_longer_than_makes_sense(
    client: RegistryClient, slept: list[float], limits: list[str], waits: list[float]
) -> None:
    _Hub.limits = list(limits)
    with pytest.raises(RegistryFailure) as caught:
        client.head("team/app", "1")
    assert (caught.value.cause, caught.value.whole, slept) == ("rate_limited", False, waits)


def test_an_address_where_nothing_listens_concerns_all() -> None:
    with pytest.raises(RegistryFailure) as caught:
        RegistryClient(Access("127.0.0.1:1", "http"), retries=0).head("a", "1")
    assert (caught.value.cause, caught.value.whole) == ("connection_refused", True)
