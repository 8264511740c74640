# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe gives a credential to the (scheme, host, port) that it belongs to, whatever servers say."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.hostile import registries
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.probing import BOTH, IMAGE, Node
from tests.hostile.server import App, HostileServer, Request
from tests.registry_faults.servers import Reply, json_reply, status

REDIRECTS = (303, 307, 308)


def safe(result: dict[str, Any], hostile: Neighbourhood) -> str:
    """The result as text, in which no secret stands."""
    text = repr(result)
    assert "CANARY" not in text
    assert not any(secret in text for secret in hostile.ledger.secrets.values())
    return text


@pytest.mark.parametrize("images", BOTH)
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


@pytest.mark.parametrize("images", BOTH)
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
            return Reply(chance.choice(REDIRECTS), {"Location": hops.pop()})
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


REALMS = {
    "http": "http://token.test:5000/token",
    "upper case": "HTTP://TOKEN.TEST:5000/token",
    "user info": "http://user:pw@token.test:5000/token",
    "itself without TLS": "http://registry.test:5000/token",
    "with a query": "http://token.test:5000/token?service=x",
}


@pytest.mark.parametrize("images", BOTH)
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


def test_a_client_certificate_is_shown_to_the_registry_only(hostile: Neighbourhood) -> None:
    password, token = hostile.secret("password"), "t" * 40
    tokens = hostile.server("token.test", registries.token_server(token))
    elsewhere = hostile.server("blobs.test", registries.filled())
    images = registries.redirect_from("/blobs/", elsewhere.url, registries.filled())
    registry = hostile.server("registry.test", registries.bearer(tokens.url, token, images))
    client = hostile.pki.client()
    node = Node(hostile, registry).set(registry, tls={"cert_file": f"{client}.crt", "key_file": f"{client}.key"})
    result = node.password(registry, password).one(IMAGE)
    assert (result["cause"], result["findings"]) == ("ok", [])
    assert elsewhere.requests
    hostile.ledger.check(certificate=[registry], password=[tokens])
    assert hostile.ledger.places("certificate") == [registry.own_place]


@pytest.mark.parametrize("names", [("other.test",), ("registry.test",)])
def test_a_client_certificate_is_not_shown_to_whoever_is_not_the_registry(
    hostile: Neighbourhood, names: tuple[str, ...]
) -> None:
    """Not with another name in the certificate, and not to look at one that does not verify."""
    stem = hostile.pki.server("-".join(names), names, trusted=names != ("registry.test",))
    registry = hostile.server("registry.test", registries.filled(), certificate=stem)
    client = hostile.pki.client()
    node = Node(hostile, registry).set(registry, tls={"cert_file": f"{client}.crt", "key_file": f"{client}.key"})
    assert node.one()["cause"] in ("tls_name_mismatch", "tls_unknown_authority")
    hostile.ledger.check()


def test_blobs_may_be_elsewhere_without_verification_and_get_nothing(hostile: Neighbourhood) -> None:
    """As containerd has it: what comes from there is known by its digest."""
    password = hostile.secret("password")
    elsewhere = hostile.server("blobs.test", registries.filled(), trusted=False)
    images = registries.redirect_from("/blobs/", elsewhere.url, registries.filled())
    registry = hostile.server("registry.test", registries.basic("robot", password, images), trusted=False)
    node = Node(hostile, registry).set(registry, tls={"insecure_skip_verify": True}).password(registry, password)
    assert node.one(IMAGE)["cause"] == "ok"
    elsewhere.app = registries.asking('Basic realm="r"', registries.filled())
    theirs = hostile.secret("theirs")
    result = node.password(elsewhere, theirs).one(IMAGE)
    assert result["cause"] == "tls_unknown_authority", result
    hostile.ledger.check(password=[registry])


def test_a_challenge_that_anybody_may_have_made_is_not_answered(hostile: Neighbourhood) -> None:
    """A mirror without verification leads to a registry whose place somebody else has taken."""
    password = hostile.secret("password")
    thief = hostile.server("thief.test", registries.token_server("t" * 40))
    registry = hostile.server("registry.test", registries.bearer(thief.url, "t" * 40), trusted=False)
    mirror = hostile.server("mirror.test", registries.redirect(registry.url), trusted=False)
    node = Node(hostile, mirror).set(mirror, tls={"insecure_skip_verify": True}).password(registry, password)
    for images in BOTH:
        result = node.one(*images)
        hostile.ledger.check()
        assert result["cause"] == "tls_unknown_authority"
    # The right one is asked as it should be.
    registry = hostile.server("registry.test", registries.basic("robot", password))
    assert node.one(IMAGE)["cause"] == "ok"
    hostile.ledger.check(password=[registry])


@pytest.mark.parametrize("wrong", ["authority", "name", "unreadable"])
def test_a_wrong_certificate_is_no_reason_to_go_on_without_tls(hostile: Neighbourhood, wrong: str) -> None:
    """An http:// endpoint with TLS settings is asked over https first, and without it only where there is none."""
    password = hostile.secret("password")
    stem = {
        "authority": hostile.pki.server("https-first", ("registry.test",), trusted=False),
        "name": hostile.pki.server("https-first-name", ("thief.test",)),
        "unreadable": hostile.pki.unreadable("https-first-unreadable", ("thief.test",)),
    }[wrong]
    registry = hostile.server("registry.test", registries.basic("robot", password), certificate=stem)
    node = Node(hostile, "http://registry.test:5000").set("registry.test:5000", tls={"ca_file": str(hostile.ca)})
    result = node.password(registry, password).one(IMAGE)
    assert result["cause"].startswith("tls_"), result
    assert registry.requests == []
    hostile.ledger.check()


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
