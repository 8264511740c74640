# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies get their own credentials and no others, and are who their certificate says."""

from __future__ import annotations

import pytest

from tests.hostile import proxies, registries
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.probing import IMAGE, Node
from tests.hostile.server import HostileServer
from tests.registry_faults.servers import status


def through(hostile: Neighbourhood, proxy: HostileServer, exceptions: str = "") -> dict[str, str]:
    """The environment of a service with a proxy that has a password."""
    hostile.ledger.secrets.setdefault("proxy", "CANARY-of-the-proxy")
    url = f"{proxy.scheme}://user:CANARY-of-the-proxy@{proxy.name}:{proxy.port}"
    return {"HTTPS_PROXY": url, "HTTP_PROXY": url, "NO_PROXY": exceptions}


HEADER = registries.basic_header("user", "CANARY-of-the-proxy")


@pytest.mark.parametrize("tls", [True, False])
def test_a_good_proxy_gets_its_password_and_hears_nothing_of_the_registrys(hostile: Neighbourhood, tls: bool) -> None:
    password = hostile.secret("password")
    proxy = hostile.server("proxy.test", proxies.wanting(HEADER, proxies.honest(hostile)), 3128, tls)
    registry = hostile.server("registry.test", registries.basic("robot", password))
    node = Node(hostile, registry).password(registry, password)
    result = node.one(IMAGE, environment=through(hostile, proxy))
    assert (result["cause"], result["findings"]) == ("ok", []), result
    hostile.ledger.check(password=[registry], proxy=[proxy])
    assert hostile.ledger.places("proxy") == [proxy.own_place]


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("wrong", ["another name", "no name", "unreadable", "unknown authority"])
def test_a_proxy_with_a_wrong_certificate_gets_nothing(hostile: Neighbourhood, wrong: str, skip: bool) -> None:
    """Whatever the registry's own settings are: its insecure_skip_verify is not for the proxy."""
    password = hostile.secret("password")
    pki = hostile.pki
    stem = {
        "another name": pki.server("wrong-name", ("thief.test", "registry.test")),
        "no name": pki.server("no-name", (), common_name="proxy.test"),
        "unreadable": pki.unreadable("unreadable-proxy", ("thief.test",)),
        "unknown authority": pki.server("unknown", ("proxy.test",), trusted=False),
    }[wrong]
    app = proxies.wanting(HEADER, proxies.honest(hostile))
    proxy = hostile.server("proxy.test", app, 3128, certificate=stem)
    registry = hostile.server("registry.test", registries.basic("robot", password))
    client = pki.client()
    tls = {"insecure_skip_verify": skip, "cert_file": f"{client}.crt", "key_file": f"{client}.key"}
    node = Node(hostile, registry).password(registry, password).set(registry, tls=tls)
    result = node.one(IMAGE, environment=through(hostile, proxy))
    assert result["cause"].startswith("tls_"), result
    assert "proxy.test:3128" in result["message"]
    assert registry.requests == []
    hostile.ledger.check()


def test_a_proxy_for_some_gets_nothing_into_the_requests_of_others(hostile: Neighbourhood) -> None:
    """A registry that is asked straight, over a connection that is kept, and a token server behind the proxy."""
    token = "t" * 40
    proxy = hostile.server("proxy.test", proxies.honest(hostile), 3128, tls=False)
    tokens = hostile.server("token.test", registries.token_server(token), tls=False)
    registry = hostile.server("registry.test", registries.bearer(tokens.url, token), tls=False)
    result = Node(hostile, registry).one(IMAGE, environment=through(hostile, proxy, "registry.test"))
    assert result["cause"] == "ok", result
    assert proxy.requests
    hostile.ledger.check(proxy=[proxy])
    assert all(request.target.startswith("/") for request in registry.requests)


@pytest.mark.parametrize(
    ("code", "header"),
    [
        (401, {"WWW-Authenticate": 'Basic realm="registry"'}),
        (401, {"WWW-Authenticate": 'Bearer realm="http://proxy.test:3128/token"'}),
        (407, {"Proxy-Authenticate": 'Basic realm="proxy"', "WWW-Authenticate": 'Basic realm="registry"'}),
        (307, {"Location": "http://thief.test:5000"}),
        (302, {"Location": "/v2/"}),
        (200, {"Content-Length": "5"}),
        (101, {"Upgrade": "registry"}),
    ],
)
def test_a_proxy_that_answers_connect_for_the_registry_learns_nothing(
    hostile: Neighbourhood, code: int, header: dict[str, str]
) -> None:
    password = hostile.secret("password")
    thief = hostile.server("thief.test", status(200), tls=False)
    proxy = hostile.server("proxy.test", proxies.answering(code, **header), 3128, tls=False)
    registry = hostile.server("registry.test", registries.basic("robot", password))
    node = Node(hostile, registry).password(registry, password)
    result = node.one(environment=through(hostile, proxy))
    assert result["cause"] != "ok"
    assert "proxy.test:3128" in result["message"]
    assert thief.requests == []
    hostile.ledger.check(proxy=[proxy])


@pytest.mark.parametrize("wrong", ["unknown authority", "another name", "unreadable", "no TLS"])
def test_a_proxy_that_is_the_registry_itself_learns_nothing(hostile: Neighbourhood, wrong: str) -> None:
    password = hostile.secret("password")
    pki = hostile.pki
    stem = {
        "unknown authority": pki.server("fake-authority", ("registry.test",), trusted=False),
        "another name": pki.server("fake-name", ("thief.test",)),
        "unreadable": pki.unreadable("fake-unreadable", ("thief.test",)),
        "no TLS": None,
    }[wrong]
    context = hostile.context(stem) if stem is not None else None
    asking = registries.asking('Basic realm="registry"', registries.filled())
    proxy = hostile.server("proxy.test", proxies.impersonating(asking, context), 3128, tls=False)
    registry = hostile.server("registry.test", registries.basic("robot", password))
    node = Node(hostile, registry).password(registry, password)
    result = node.one(environment=through(hostile, proxy))
    assert result["cause"].startswith(("tls_", "not_tls", "http_server", "connection_reset")), result
    hostile.ledger.check(proxy=[proxy])


def test_a_certificate_that_cannot_be_read_is_for_nobody(hostile: Neighbourhood) -> None:
    """It is good, but for another name: the reader of names stumbles over its dates."""
    password = hostile.secret("password")
    stem = hostile.pki.unreadable("registry-unreadable", ("thief.test",))
    registry = hostile.server("registry.test", registries.basic("robot", password), certificate=stem)
    result = Node(hostile, registry).password(registry, password).one(IMAGE)
    assert result["cause"] == "tls_name_mismatch"
    assert "cannot be read" in result["message"]
    hostile.ledger.check()
