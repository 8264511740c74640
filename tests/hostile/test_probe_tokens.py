# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe asks token servers for no more, and tells them no more, than belongs to them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hostile import registries
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.probing import EITHER, IMAGE, Node, safe
from tests.hostile.server import Request
from tests.registry_faults.servers import Reply, json_reply, status

REDIRECTS = (303, 307, 308)

REALMS = {
    "http": "http://token.test:5000/token",
    "upper case": "HTTP://TOKEN.TEST:5000/token",
    "user info": "http://user:pw@token.test:5000/token",
    "itself without TLS": "http://registry.test:5000/token",
    "with a query": "http://token.test:5000/token?service=x",
}


@pytest.mark.parametrize("images", EITHER)
@pytest.mark.parametrize("auth", ["password", "refresh"])
@pytest.mark.parametrize("realm", REALMS.values(), ids=REALMS)
def test_a_token_server_without_tls_gets_nothing_of_a_registry_with_it(
    hostile: Neighbourhood, realm: str, auth: str, images: tuple[str, ...]
) -> None:
    secret = hostile.secret("secret")
    hostile.server("token.test", registries.token_server("t" * 40), tls=False)
    # Basic would do, and containerd prefers Bearer.
    challenge = ['Basic realm="r"', f'Bearer realm="{realm}",service="s"']
    registry = hostile.server("registry.test", registries.asking(challenge, registries.filled()))
    settings = {"username": "robot", "password": secret} if auth == "password" else {"identity_token": secret}
    result = Node(hostile, registry).set(registry, auth=settings).one(*images)
    hostile.ledger.check()
    assert result["cause"] == "unauthorized"
    place = "http://registry.test:5000" if "registry" in realm else "http://token.test:5000"
    word = "password" if auth == "password" else "identity token"
    assert result["message"].startswith(
        f"containerd will send the {word} of registry.test:5000 to {place} in clear text, the token server that the"
        " registry names (realm) without TLS."
    )
    assert result["findings"][0] in result["message"]
    safe(result, hostile)


def test_an_anonymous_token_may_come_without_tls_and_an_http_registry_has_nothing_to_lose(
    hostile: Neighbourhood,
) -> None:
    password = hostile.secret("password")
    tokens = hostile.server("token.test", registries.token_server("t" * 40), tls=False)
    secure = hostile.server("secure.test", registries.bearer(tokens.url, "t" * 40))
    assert Node(hostile, secure).one(IMAGE)["cause"] == "ok"
    plain = hostile.server("plain.test", registries.bearer(tokens.url, "t" * 40), tls=False)
    assert Node(hostile, plain).password(plain, password).one(IMAGE)["cause"] == "ok"
    hostile.ledger.check(password=[tokens])


FURTHER = {
    "another host": "https://thief.test:5000/token",
    "another port": "https://token.test:5001/token",
    "without TLS": "http://token.test:5000/token",
    "below it": "https://sub.token.test:5000/token",
    "the registry": "https://registry.test:5000/token",
}


@pytest.mark.parametrize("code", REDIRECTS)
@pytest.mark.parametrize("place", FURTHER.values(), ids=FURTHER)
@pytest.mark.parametrize("auth", ["password", "refresh"])
@pytest.mark.parametrize("post", [True, False])
def test_a_token_request_is_not_repeated_elsewhere_with_the_password(
    hostile: Neighbourhood, code: int, place: str, auth: str, post: bool
) -> None:
    secret, token = hostile.secret("secret"), "t" * 40
    giving = registries.token_server(token)
    for name, port in (("thief.test", 5000), ("token.test", 5001), ("sub.token.test", 5000)):
        hostile.server(name, giving, port)
    leading = registries.redirect(place, code, whole=True)

    def app(request: Request) -> Any:
        if request.scheme == "http":
            return giving(request)
        return leading(request) if post else registries.without_post(leading)(request)

    tokens = hostile.server("token.test", app)
    registry = hostile.server("registry.test", registries.bearer(tokens.url + "/token", token))
    inner = registry.app
    registry.app = lambda request: giving(request) if request.path == "/token" else inner(request)
    settings = {"username": "robot", "password": secret} if auth == "password" else {"identity_token": secret}
    result = Node(hostile, registry).set(registry, auth=settings).one(IMAGE)
    assert hostile.ledger.places("secret") == [tokens.own_place]
    repeated = post and code in (307, 308)
    carried = not post and "token.test" in place
    assert bool(result["findings"]) == (repeated or carried), result
    if repeated or (carried and place.startswith("http:")):
        assert result["cause"] == "unauthorized"
        assert "containerd will send the " in result["message"]
        assert place.rpartition("/")[0] in result["message"]
    else:
        assert result["cause"] == "ok", result
    safe(result, hostile)


def test_a_token_server_may_redirect_to_itself(hostile: Neighbourhood) -> None:
    secret, token = hostile.secret("secret"), "t" * 40
    giving = registries.token_server(token)
    tokens = hostile.server(
        "token.test",
        lambda request: Reply(308, {"Location": "/token/"}) if request.path == "/token" else giving(request),
    )
    registry = hostile.server("registry.test", registries.bearer(tokens.url + "/token", token))
    result = Node(hostile, registry).password(registry, secret).one(IMAGE)
    assert (result["cause"], result["findings"]) == ("ok", [])
    assert hostile.ledger.places("secret") == [tokens.own_place]


@pytest.mark.parametrize("realm", ["https://token.test:5000/token", "https://registry.test:5001/token"])
def test_tls_settings_of_a_registry_are_not_for_a_token_server_elsewhere(hostile: Neighbourhood, realm: str) -> None:
    password, token = hostile.secret("password"), "t" * 40
    for name, port in (("token.test", 5000), ("registry.test", 5001)):
        hostile.server(name, registries.token_server(token), port, trusted=False)
    registry = hostile.server("registry.test", registries.bearer(realm, token), trusted=False)
    client = hostile.pki.client()
    tls = {"insecure_skip_verify": True, "cert_file": f"{client}.crt", "key_file": f"{client}.key"}
    node = Node(hostile, registry).set(registry, tls=tls)
    anonymous = node.one(IMAGE)
    assert anonymous["cause"] == "tls_unknown_authority", anonymous
    result = node.password(registry, password).one(IMAGE)
    hostile.ledger.check(certificate=[registry])
    assert hostile.ledger.places("certificate") == [registry.own_place]
    assert result["cause"] == "unauthorized"
    assert "insecure_skip_verify of registry.test:5000 counts there too" in result["findings"][0]
    safe(result, hostile)


def test_an_anonymous_token_is_no_secret(hostile: Neighbourhood) -> None:
    """Registries that keep their blobs below their own name are no finding for those who have no account there."""
    tokens = hostile.server("token.test", registries.token_server("t" * 40))
    hostile.server("cdn.registry.test", registries.filled())
    images = registries.redirect_from("/blobs/", "https://cdn.registry.test:5000", registries.filled())
    registry = hostile.server("registry.test", registries.bearer(tokens.url, "t" * 40, images))
    node = Node(hostile, registry)
    result = node.one(IMAGE)
    assert (result["cause"], result["findings"]) == ("ok", [])
    password = hostile.secret("password")
    result = node.password(registry, password).one(IMAGE)
    assert result["cause"] == "ok"
    assert result["findings"] == [
        "containerd will send the token for registry.test:5000 to https://cdn.registry.test:5000, to which a redirect"
        " leads."
    ]
    hostile.ledger.check(password=[tokens])


CHALLENGES = {
    "several Basic": ['Basic realm="a"', 'Basic realm="b"'],
    "no realm": "Bearer service=x",
    "empty realm": 'Bearer realm=""',
    "relative realm": 'Bearer realm="/token"',
    "file": 'Bearer realm="file:///etc/shadow"',
    "odd port": 'Bearer realm="https://token.test:abc/"',
    "no host": 'Bearer realm="https://:5000/"',
    "line feed": 'Bearer realm="https://token.test\n/"',
    "digest": 'Digest realm="r",nonce="n"',
    "negotiate": "Negotiate",
    "empty": "",
    "long": "Bearer " + ",".join(f'a{n}="{n}"' for n in range(5000)),
}


@pytest.mark.parametrize("challenge", CHALLENGES.values(), ids=CHALLENGES)
def test_odd_challenges_are_survived(hostile: Neighbourhood, challenge: str | list[str]) -> None:
    password = hostile.secret("password")
    registry = hostile.server("registry.test", registries.asking(challenge, status(200)))
    result = Node(hostile, registry).password(registry, password).one()
    assert result["cause"] in ("unauthorized", "token_server_unavailable"), result
    hostile.ledger.check(password=[registry])
    safe(result, hostile)


def test_a_token_that_is_the_name_of_a_registry_hides_no_registry(hostile: Neighbourhood) -> None:
    token = "registry.test:5000"
    tokens = hostile.server("token.test", registries.token_server(token))
    registry = hostile.server("registry.test", registries.bearer(tokens.url, token, status(500)))
    result = Node(hostile, registry).one()
    assert result["endpoint"] == "https://registry.test:5000/v2"
    assert result["message"].startswith("registry.test:5000 failed")


def test_a_short_token_masks_nothing_else(hostile: Neighbourhood) -> None:
    tokens = hostile.server("token.test", lambda _request: json_reply({"token": "e"}))
    registry = hostile.server("registry.test", registries.bearer(tokens.url, "e", status(500)))
    result = Node(hostile, registry).one()
    assert result["cause"] == "server_error"
    assert "500 Internal Server Error" in result["message"]
