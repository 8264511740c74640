# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror's credentials reach the scheme, host and port that they belong to, wherever a registry sends it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.hostile import proxies
from tests.hostile.mirroring import Mirror, Registry, only
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.registries import asking, basic, basic_header, bearer, redirect, redirect_from, token_server
from tests.hostile.server import App, HostileServer, Request
from tests.registry_faults.servers import Reply

USER = "robot"


class Setting:
    """A source that has ``team/app``, a target that takes it, and everybody's secrets."""

    def __init__(self, hostile: Neighbourhood) -> None:
        self.hostile = hostile
        self.password = hostile.secret("password")
        self.refresh = hostile.secret("refresh token")
        self.token = "TOKEN-" + "7f3a"  # noqa: S105
        hostile.ledger.secrets["token"] = self.token
        self.other = hostile.secret("target's password")
        self.store, self.taken = Registry(), Registry()
        self.digest = self.store.image("team/app")
        self.target = hostile.server("target.test", basic(USER, self.other, self.taken))
        pair = hostile.pki.client("mirror")
        self.pair = {"cert": pair.with_suffix(".crt").read_text(), "key": pair.with_suffix(".key").read_text()}

    def mirror(self, source: HostileServer, refresh: bool = False, **more: Any) -> dict[str, Any]:
        login = {"identity_token": self.refresh} if refresh else {"username": USER, "password": self.password}
        dest = {"username": USER, "password": self.other}
        login.update(self.pair, **more)
        (item,) = Mirror(self.hostile, source, self.target, src=login, dest=dest).run("team/app")
        return item

    def check(self, **allowed: Any) -> None:
        self.hostile.ledger.check(**{"target's password": [self.target], **allowed})

    @property
    def copied(self) -> bool:
        return self.taken.digest("team/app") == self.digest


@pytest.fixture
def setting(hostile: Neighbourhood) -> Setting:
    return Setting(hostile)


@pytest.mark.parametrize("refresh", [False, True])
def test_a_token_server_elsewhere_gets_the_password_and_nobody_else_does(setting: Setting, refresh: bool) -> None:
    tokens = setting.hostile.server("auth.test", token_server(setting.token))
    source = setting.hostile.server("source.test", bearer(tokens.url + "/token", setting.token, setting.store))
    item = setting.mirror(source, refresh)
    assert (item.get("action"), setting.copied) == ("copied", True), item
    secret = "refresh token" if refresh else "password"
    setting.check(**{secret: [tokens], "token": [source], "certificate": [source]})


@pytest.mark.parametrize("refresh", [False, True])
def test_a_token_server_without_tls_gets_nothing_of_an_https_registry(setting: Setting, refresh: bool) -> None:
    tokens = setting.hostile.server("auth.test", token_server(setting.token), tls=False)
    source = setting.hostile.server("source.test", bearer(tokens.url + "/token", setting.token, setting.store))
    item = setting.mirror(source, refresh)
    setting.check(certificate=[source])
    assert (item["state"], item["cause"]) == ("failed", "token_server_unavailable")
    assert "its realm has to begin with https://" in item["message"]
    assert tokens.requests == []


def test_a_plain_realm_of_the_registry_itself_gets_nothing_either(setting: Setting) -> None:
    source = setting.hostile.server("source.test", Reply)
    source.app = bearer("http://source.test:5000/token", setting.token, setting.store)
    item = setting.mirror(source)
    setting.check(certificate=[source])
    assert item["cause"] == "token_server_unavailable"


def test_exceptions_for_a_registry_do_not_count_for_its_token_server(setting: Setting) -> None:
    tokens = setting.hostile.server("auth.test", token_server(setting.token), trusted=False)
    source = setting.hostile.server(
        "source.test", bearer(tokens.url + "/token", setting.token, setting.store), trusted=False
    )
    item = setting.mirror(source, insecure=True)
    setting.check(certificate=[source])
    assert (item["state"], item["cause"]) == ("failed", "tls_unknown_authority"), item
    assert "auth.test:5000" in item["message"]
    assert tokens.requests == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("refresh", [False, True])
def test_a_token_request_is_not_repeated_where_its_server_redirects(
    setting: Setting, status: int, refresh: bool
) -> None:
    evil = setting.hostile.server("evil.test", token_server(setting.token))
    tokens = setting.hostile.server("auth.test", redirect(evil.url, status))
    source = setting.hostile.server("source.test", bearer(tokens.url + "/token", setting.token, setting.store))
    item = setting.mirror(source, refresh)
    assert "redirects, which is not followed" in item["message"]
    assert evil.requests == []
    setting.check(**{"refresh token" if refresh else "password": [tokens], "certificate": [source]})


@pytest.mark.parametrize("part", ["/manifests/", "/blobs/"])
@pytest.mark.parametrize("challenge", ["", "Basic realm=x", 'Bearer realm="https://evil.test:5000/token",service="x"'])
def test_another_host_that_a_registry_redirects_to_gets_no_credentials(
    setting: Setting, part: str, challenge: str
) -> None:
    served: App = asking(challenge, setting.store, "never") if challenge else setting.store
    evil = setting.hostile.server("evil.test", served)
    source = setting.hostile.server(
        "source.test", basic(USER, setting.password, redirect_from(part, evil.url, setting.store))
    )
    item = setting.mirror(source)
    assert len(evil.requests) > 0
    assert setting.copied is (not challenge), item
    if challenge:
        assert "evil.test:5000" in item["message"]
    setting.check(password=[source], certificate=[source])


@pytest.mark.parametrize("place", ["http://evil.test:5001", "http://source.test:5000", "https://source.test:5001"])
def test_the_same_host_by_another_scheme_or_port_gets_none_either(setting: Setting, place: str) -> None:
    hostile = setting.hostile
    source = hostile.server("source.test", Reply)
    source.app = basic(USER, setting.password, redirect_from("/manifests/", place, setting.store))
    hostile.server("source.test", setting.store, port=5001)
    hostile.server("evil.test", setting.store, port=5001, tls=False)
    item = setting.mirror(source)
    if place.startswith("http:"):
        assert "without TLS" in item["message"]
        assert not setting.copied
    else:
        assert setting.copied
    setting.check(password=[source], certificate=[source])


@pytest.mark.parametrize(
    "place", ["https://evil.test:5000/up", "http://evil.test:5001/up", "http://target.test:5000/up"]
)
def test_an_upload_that_goes_elsewhere_takes_no_credentials_along(setting: Setting, place: str) -> None:
    evil = [setting.hostile.server("evil.test", lambda request: Reply(201)),
            setting.hostile.server("evil.test", lambda request: Reply(201), port=5001, tls=False)]  # fmt: skip

    def begun(request: Request) -> Reply:
        return Reply(202, {"Location": place}) if request.method == "POST" else Reply(404)

    setting.target.app = basic(USER, setting.other, only("/blobs/", begun, setting.taken))
    source = setting.hostile.server("source.test", basic(USER, setting.password, setting.store))
    item = setting.mirror(source)
    if place.startswith("http:"):
        assert "without TLS" in item["message"]
    assert not evil[1].requests
    setting.check(password=[source], certificate=[source])


def test_both_sides_on_one_host_have_credentials_of_their_own(setting: Setting) -> None:
    setting.store.image("team/app")
    seen: dict[str, set[str]] = {}

    def app(request: Request) -> Reply:
        seen.setdefault(request.method, set()).add(request.authorization)
        answered = setting.store(request)
        assert isinstance(answered, Reply)
        return answered

    accepted = [basic_header(USER, setting.password), basic_header(USER, setting.other)]
    both = setting.hostile.server("both.test", asking('Basic realm="x"', app, *accepted))
    mirror = Mirror(
        setting.hostile, both, both, src={"username": USER, "password": setting.password},
        dest={"username": USER, "password": setting.other},
    )  # fmt: skip
    item = mirror.item("team/app")
    item["target"]["place"][2] = "copy/app"
    mirror.item = lambda name: item  # type: ignore[method-assign]
    (ended,) = mirror.run("team/app")
    assert ended["action"] == "copied"
    assert seen["PUT"] == {accepted[1]}
    setting.hostile.ledger.check(**{"password": [both], "target's password": [both]})


@pytest.mark.parametrize("tls", [True, False])
def test_a_proxy_over_tls_is_refused_before_it_hears_anything(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    secret = setting.hostile.secret("proxy's password")
    proxy = setting.hostile.server("proxy.test", proxies.honest(setting.hostile), port=3128, tls=tls)
    source = setting.hostile.server("source.test", basic(USER, setting.password, setting.store))
    monkeypatch.setenv("HTTPS_PROXY", "https://user:" + _quoted(secret) + "@proxy.test:3128")
    item = setting.mirror(source)
    assert setting.hostile.ledger.places("proxy's password") == []
    setting.hostile.ledger.check()
    assert (item["state"], item["cause"]) == ("failed", "no_route")
    assert "HTTPS_PROXY names an https:// proxy" in item["message"]
    assert "CANARY" not in item["message"]
    assert proxy.requests == []
    assert setting.hostile.ledger.heard(proxy.place("http")) == []


def test_a_proxy_hears_its_own_password_and_no_other(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = setting.hostile.secret("proxy's password")
    wanted = basic_header("user", secret)
    proxy = setting.hostile.server(
        "proxy.test", proxies.wanting(wanted, proxies.honest(setting.hostile)), port=3128, tls=False
    )
    source = setting.hostile.server("source.test", basic(USER, setting.password, setting.store))
    monkeypatch.setenv("HTTPS_PROXY", "http://user:" + _quoted(secret) + "@proxy.test:3128")
    item = setting.mirror(source)
    assert (item.get("action"), setting.copied) == ("copied", True), item
    setting.check(**{"password": [source], "certificate": [source], "proxy's password": [proxy]})


@pytest.mark.parametrize("clear", [True, False])
def test_a_proxy_that_answers_in_a_registrys_place_learns_nothing(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, clear: bool
) -> None:
    context = None if clear else setting.hostile.context(setting.hostile.pki.server("liar", ("source.test",), False))
    liar = proxies.impersonating(asking('Basic realm="x"', setting.store, "never"), context)
    setting.hostile.server("proxy.test", liar, port=3128, tls=False)
    source = setting.hostile.server("source.test", basic(USER, setting.password, setting.store))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    item = setting.mirror(source)
    assert item["state"] == "failed", item
    setting.hostile.ledger.check()


def _quoted(text: str) -> str:
    return quote(text, safe="")
