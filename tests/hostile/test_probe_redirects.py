# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wherever a redirect leads, the probe gives a credential to the (scheme, host, port) that it belongs to."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.hostile import registries
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.probing import EITHER, IMAGE, Node, safe
from tests.hostile.server import App, HostileServer, Request
from tests.registry_faults.servers import Reply, status


@pytest.mark.parametrize("images", EITHER)
@pytest.mark.parametrize("code", [302, 307])
@pytest.mark.parametrize("tls", [True, False])
def test_a_mirror_that_redirects_to_a_registry_is_not_told_its_password(
    hostile: Neighbourhood, images: tuple[str, ...], code: int, tls: bool
) -> None:
    password = hostile.secret("password")
    registry = hostile.server("registry.test", registries.basic("robot", password))
    mirror = hostile.server("mirror.test", registries.redirect(registry.url, code), tls=tls)
    result = Node(hostile, mirror).password(registry, password).one(*images)
    hostile.ledger.check(password=[registry])
    assert result["cause"] == "ok", result
    assert hostile.ledger.places("password") == [registry.own_place]
    safe(result, hostile)


@pytest.mark.parametrize("images", EITHER)
def test_nor_the_token_that_the_registry_has_given(hostile: Neighbourhood, images: tuple[str, ...]) -> None:
    password, token = hostile.secret("password"), "T0ken-CANARY-of-the-registry-4711"
    hostile.ledger.secrets["token"] = token
    tokens = hostile.server("token.test", registries.token_server(token))
    registry = hostile.server("registry.test", registries.bearer(tokens.url + "/token", token))
    mirror = hostile.server("mirror.test", registries.redirect(registry.url))
    result = Node(hostile, mirror).password(registry, password).one(*images)
    hostile.ledger.check(password=[tokens], token=[registry])
    assert result["cause"] == "ok", result
    assert hostile.ledger.places("token") == [registry.own_place]
    safe(result, hostile)


def test_each_has_its_own_where_both_want_one(hostile: Neighbourhood) -> None:
    ours, theirs = hostile.secret("ours"), hostile.secret("theirs")
    registry = hostile.server("registry.test", registries.basic("robot", ours))
    mirror = hostile.server("mirror.test", registries.basic("robot", theirs, registries.redirect(registry.url)))
    result = Node(hostile, mirror).password(registry, ours).password(mirror, theirs).one(IMAGE)
    assert result["cause"] == "ok", result
    assert hostile.ledger.places("ours") == [registry.own_place]
    assert hostile.ledger.places("theirs") == [mirror.own_place]
    assert result["findings"] == []


ELSEWHERE = {
    "plain side": "http://registry.test:5000",
    "another port": "https://registry.test:5001",
    "another port, plain": "http://registry.test:5002",
    "default port": "https://registry.test",
    "default port, plain": "http://registry.test",
    "below it": "https://sub.registry.test:5000",
    "below it, plain": "http://sub.registry.test:5000",
    "another host": "https://other.test:5000",
    "a name that ends alike": "https://notregistry.test:5000",
    "user info": "https://registry.test:5000@other.test:5000",
    "user info with a password": "https://robot:x@other.test:5000",
    "backslash": "https://other.test:5000\\@registry.test:5000",
    "upper case, plain": "HTTP://REGISTRY.TEST:5000",
    "without scheme": "//other.test:5000",
    "fullwidth, plain": "http://\uff52egistry.test:5000",
    "an odd port": "https://registry.test:5_001",
    "control characters": "https://other.test:5000\t",
    "address": "https://[2001:db8::1]:5000",
    "another scheme": "ftp://registry.test:5000",
    "nothing": "https://",
    "not closed": "https://[registry.test:5000",
}


def everywhere(hostile: Neighbourhood, app: App) -> list[HostileServer]:
    """Somebody who listens at each of those places."""
    places = [
        ("registry.test", 5001, True), ("registry.test", 5002, False), ("registry.test", 443, True),
        ("registry.test", 80, False), ("sub.registry.test", 5000, True), ("other.test", 5000, True),
        ("notregistry.test", 5000, True), ("2001:db8::1", 5000, False),
    ]  # fmt: skip
    return [hostile.server(name, app, port, tls) for name, port, tls in places]


@pytest.mark.parametrize("place", ELSEWHERE.values(), ids=ELSEWHERE)
@pytest.mark.parametrize("answer", ["takes all", "asks"])
def test_a_redirect_takes_no_password_along(hostile: Neighbourhood, place: str, answer: str) -> None:
    password = hostile.secret("password")
    header = registries.basic_header("robot", password)
    asks = registries.asking('Basic realm="here too"', registries.filled(), header)
    takers = everywhere(hostile, asks if answer == "asks" else registries.filled())

    def app(request: Request) -> Any:
        if request.scheme == "http":
            return takers[0].app(request)
        return registries.asking('Basic realm="r"', registries.redirect(place), header)(request)

    registry = hostile.server("registry.test", app)
    result = Node(hostile, registry).password(registry, password).one(IMAGE)
    assert hostile.ledger.places("password") == [registry.own_place]
    text = safe(result, hostile)
    within = place.lower().replace("\uff52", "r").partition("://")[2].partition(":")[0].endswith("registry.test")
    carried = (
        within
        and not place.startswith(("ftp", "https://notregistry"))
        and "@" not in place
        and not set("_[") & set(place)
    )
    assert ("containerd will send the password of registry.test:5000 to http" in text) == carried
    if "plain" in dict(zip(ELSEWHERE.values(), ELSEWHERE))[place]:
        assert result["cause"] == "unauthorized"
        assert "in clear text" in result["message"]
    elif carried and answer == "takes all":
        assert result["cause"] == "ok"
        assert result["findings"]
        assert result["fix"]


@pytest.mark.parametrize("seed", range(4))
def test_any_chain_of_redirects_and_challenges(hostile: Neighbourhood, seed: int) -> None:
    """Put together by chance out of what URLs are made of: three hops, each of which may ask for credentials."""
    chance = random.Random(seed)
    password = hostile.secret("password")
    hops: list[str] = []

    def location() -> str:
        scheme = chance.choice(["https://", "http://", "HTTPS://", "//", "https:/", "https:", "", "/\\"])
        user = chance.choice(["", "", "registry.test:5000@", "a:b@", "@", "registry.test%40"])
        host = chance.choice(
            [
                "registry.test",
                "REGISTRY.test",
                "sub.registry.test",
                "other.test",
                "registry.test.",
                "[::1]",
                "",
                "..",
                "a b",
            ]
        )
        port = chance.choice([":5000", ":5000", "", ":443", ":5001", ":5002", ":80", ":0", ":x"])
        return scheme + user + host + port + chance.choice(["", "/", "/v2/", "?x", "#x", "\\", "@registry.test:5000/"])

    def app(request: Request) -> Any:
        if hops and chance.random() < 0.5:
            return Reply(chance.choice((303, 307, 308)), {"Location": hops.pop()})
        if chance.random() < 0.5:
            realm = location()
            return Reply(
                401, {"WWW-Authenticate": [f'Bearer realm="{realm}"', 'Basic realm="r"'][chance.random() < 0.5]}
            )
        return registries.token_server("t" * 40)(request)

    everywhere(hostile, app)
    good = registries.basic("robot", password, app)
    registry = hostile.server("registry.test", lambda request: (good if request.scheme == "https" else app)(request))
    node = Node(hostile, registry).password(registry, password)
    for _number in range(40):
        hops[:] = [location() for _hop in range(3)]
        safe(node.one(timeout=2), hostile)
        hostile.ledger.check(password=[registry])


@pytest.mark.parametrize("place", ["/elsewhere", "//registry.test:5000", "https://REGISTRY.test:5000", "?x=1"])
def test_a_redirect_to_itself_needs_no_finding(hostile: Neighbourhood, place: str) -> None:
    password = hostile.secret("password")
    store = registries.filled()

    def moved(request: Request) -> Any:
        if request.path.startswith("/elsewhere") or "x" in request.query or "moved" in request.path:
            return store(request._replace(path="/v2/"))  # type: ignore[arg-type]
        return Reply(307, {"Location": place if place[0] in "/?" and place[1] != "/" else place + "/moved"})

    registry = hostile.server("registry.test", registries.basic("robot", password, moved))
    result = Node(hostile, registry).password(registry, password).one()
    assert result["cause"] == "ok", result
    assert result["findings"] == []
    hostile.ledger.check(password=[registry])


def test_an_http_endpoint_may_send_its_clients_to_https(hostile: Neighbourhood) -> None:
    password = hostile.secret("password")
    secure = hostile.server("registry.test", registries.basic("robot", password), port=443)
    plain = hostile.server("registry.test", registries.redirect(secure.url), port=80, tls=False)
    result = Node(hostile, plain).password(plain, password).one(IMAGE)
    assert result["cause"] == "ok", result
    assert result["findings"] == []
    assert hostile.ledger.places("password") == [secure.own_place]


def test_credentials_of_a_registry_do_not_go_to_its_plain_side(hostile: Neighbourhood) -> None:
    """A mirror leads to the registry without TLS, where anybody can ask for its password."""
    password = hostile.secret("password")
    registry = hostile.server("registry.test", registries.basic("robot", password))
    for challenge in ('Basic realm="r"', f'Bearer realm="{registry.url}/token"'):
        registry.app = registries.asking(challenge, registries.filled())
        mirror = hostile.server("mirror.test", registries.redirect("http://registry.test:5000"))
        result = Node(hostile, mirror).password(registry, password).one()
        hostile.ledger.check()
        assert result["cause"] == "unauthorized"
        assert result["findings"][0].startswith(
            "containerd will send the password of registry.test:5000 to http://registry.test:5000 in clear text"
        )


def test_redirects_and_challenges_that_never_end(hostile: Neighbourhood) -> None:
    password = hostile.secret("password")
    first = hostile.server("first.test", status(200))
    second = hostile.server("second.test", registries.redirect(first.url))
    first.app = registries.redirect(second.url)
    node = Node(hostile, first).password(first, password).password(second, password)
    assert node.one(IMAGE)["cause"] == "not_a_registry"
    hostile.ledger.check()
    # Each hop asks for credentials, and leads on.
    hops = [hostile.server(f"hop-{number}.test", status(200)) for number in range(12)]
    for here, there in zip(hops, [*hops[1:], hops[0]]):
        here.app = registries.basic("robot", "another", registries.redirect(there.url))
        node.password(here, password)
    node.config["mirrors"]["mirrored.test"]["endpoint"] = [hops[0].url]
    assert node.one()["cause"] == "unauthorized"
    hostile.ledger.check(password=hops)
    assert sum(len(hop.requests) for hop in hops) < 60
