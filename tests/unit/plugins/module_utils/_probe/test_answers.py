# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What registries answer: statuses, credentials, tokens, and what is or is not there of an image."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.result import Describer, Probed
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.targets import endpoint_targets, image_targets
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image
from probing import PASSWORD, mirrored, one, planned

from tests.registry_faults import servers
from tests.registry_faults.servers import Reply, Request, json_reply

IMAGE = "mirrored.example.com/team/app:1"
AUTH = {"username": "robot", "password": PASSWORD}


@pytest.fixture
def store() -> servers.Store:
    made = servers.Store()
    made.image("team/app", "1")
    return made


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (403, "forbidden"),
        (429, "rate_limited"),
        (500, "server_error"),
        (502, "server_error"),
        (503, "server_error"),
        (504, "server_error"),
    ],
)
def test_statuses(opened: Callable[[Any], Any], status: int, cause: str) -> None:
    server = opened(servers.HttpServer(servers.status(status)))
    for images in ((), (IMAGE,)):
        result = one(mirrored(server.port, "http"), *images)
        assert (result["cause"], result["status"]) == (cause, status)


def test_404_is_no_registry_at_the_api_and_a_missing_image_at_a_manifest(opened: Callable[[Any], Any]) -> None:
    server = opened(servers.HttpServer(servers.status(404)))
    assert one(mirrored(server.port, "http"))["cause"] == "not_a_registry"
    result = one(mirrored(server.port, "http"), IMAGE)
    assert (result["cause"], result["status"]) == ("not_found", 404)
    assert IMAGE in result["fix"]


def test_a_web_page_is_no_registry(opened: Callable[[Any], Any]) -> None:
    server = opened(servers.HttpServer(servers.web_page))
    assert one(mirrored(server.port, "http"))["cause"] == "not_a_registry"
    assert one(mirrored(server.port, "http"), IMAGE)["cause"] == "not_a_registry"
    login = opened(servers.HttpServer(servers.status(302, Location=f"http://127.0.0.1:{server.port}/login")))
    assert one(mirrored(login.port, "http"))["cause"] == "not_a_registry"
    loop = opened(servers.HttpServer(servers.status(302, Location="/v2/")))
    assert one(mirrored(loop.port, "http"))["cause"] == "not_a_registry"


def test_an_image_is_asked_for_as_containerd_does(opened: Callable[[Any], Any], store: servers.Store) -> None:
    store.image("mirror/team/app", "1")
    server = opened(servers.HttpServer(store))
    config = mirrored(server.port, "http")
    config["mirrors"]["mirrored.example.com"]["rewrite"] = {"^team/(.*)": "mirror/team/$1"}
    result = one(config, IMAGE)
    assert result["cause"] == "ok", result
    first = server.requests[0]
    assert (first.method, first.path) == ("HEAD", "/v2/mirror/team/app/manifests/1")
    assert first.query == {"ns": ["mirrored.example.com"]}
    assert "application/vnd.oci.image.index.v1+json" in first.headers["accept"]
    assert result["url"].endswith("/v2/mirror/team/app/manifests/1?ns=mirrored.example.com")
    assert all(request.query == {"ns": ["mirrored.example.com"]} for request in server.requests)


@pytest.mark.parametrize(("machine", "cause"), [("x86_64", "ok"), ("aarch64", "ok"), ("riscv64", "platform_missing")])
def test_the_node_has_to_find_its_platform(
    opened: Callable[[Any], Any], store: servers.Store, machine: str, cause: str
) -> None:
    server = opened(servers.HttpServer(store))
    result = one(mirrored(server.port, "http"), IMAGE, machine=machine)
    assert result["cause"] == cause
    if cause != "ok":
        assert "linux/amd64, linux/arm64" in result["message"]


def test_content_that_is_missing_or_damaged(opened: Callable[[Any], Any]) -> None:
    def damaged(change: Callable[[servers.Store, dict[str, str]], None]) -> str:
        store = servers.Store()
        change(store, store.image("team/app", "1"))
        server = opened(servers.HttpServer(store))
        return one(mirrored(server.port, "http"), IMAGE)["cause"]

    def without_layer(store: servers.Store, digests: dict[str, str]) -> None:
        del store.blobs[digests["layer amd64"]]

    def short_layer(store: servers.Store, digests: dict[str, str]) -> None:
        store.blobs[digests["layer amd64"]] = b"short"

    def other_config(store: servers.Store, digests: dict[str, str]) -> None:
        digest = digests["config amd64"]
        store.blobs[digest] = store.blobs[digest].replace(b"linux", b"xunil")

    def without_manifest(store: servers.Store, digests: dict[str, str]) -> None:
        del store.manifests["team/app", digests["amd64"]]

    def other_manifest(store: servers.Store, digests: dict[str, str]) -> None:
        kind, content = store.manifests["team/app", digests["amd64"]]
        store.manifests["team/app", digests["amd64"]] = (kind, content + b" ")

    def schema_1(store: servers.Store, _digests: dict[str, str]) -> None:
        store.manifest("team/app", "1", "application/vnd.docker.distribution.manifest.v1+prettyjws", b"{}")

    def nothing_of_the_other_platform(store: servers.Store, digests: dict[str, str]) -> None:
        del store.blobs[digests["layer arm64"]]

    assert damaged(without_layer) == "blob_missing"
    assert damaged(short_layer) == "digest_mismatch"
    assert damaged(other_config) == "digest_mismatch"
    assert damaged(without_manifest) == "blob_missing"
    assert damaged(other_manifest) == "digest_mismatch"
    assert damaged(schema_1) == "manifest_unsupported"
    assert damaged(nothing_of_the_other_platform) == "ok"


def test_a_digest_in_the_name_is_checked(opened: Callable[[Any], Any], store: servers.Store) -> None:
    digest = store.manifests["team/app", "1"][1]
    name = "mirrored.example.com/team/app@" + servers.digest_of(digest)
    server = opened(servers.HttpServer(store))
    assert one(mirrored(server.port, "http"), name)["cause"] == "ok"
    kind, content = store.manifests["team/app", servers.digest_of(digest)]
    store.manifests["team/app", servers.digest_of(digest)] = (kind, content.replace(b"arm64", b"arm65"))
    assert one(mirrored(server.port, "http"), name)["cause"] == "digest_mismatch"


def basic(store: servers.Store) -> servers.App:
    wanted = "Basic " + base64.b64encode(f"robot:{PASSWORD}".encode()).decode()

    def app(request: Request) -> Reply:
        if request.headers.get("authorization") != wanted:
            return Reply(401, {"WWW-Authenticate": 'Basic realm="registry"'})
        return store(request)

    return app


@pytest.mark.parametrize("images", [(), (IMAGE,)])
def test_basic_credentials(opened: Callable[[Any], Any], store: servers.Store, images: tuple[str, ...]) -> None:
    server = opened(servers.HttpServer(basic(store)))
    good = one(mirrored(server.port, "http", auth=AUTH), *images)
    assert (good["cause"], good["auth"]) == ("ok", "basic")
    # Nobody is told a password before asking for one.
    assert "authorization" not in server.requests[0].headers
    wrong = one(mirrored(server.port, "http", auth={**AUTH, "password": "another"}), *images)
    assert (wrong["cause"], wrong["status"], wrong["auth"]) == ("unauthorized", 401, "basic")
    none = one(mirrored(server.port, "http"), *images)
    assert none["cause"] == "unauthorized"
    assert f"No credentials are configured for 127.0.0.1:{server.port}" in none["message"]
    encoded = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
    assert one(mirrored(server.port, "http", auth={"auth": encoded}), *images)["cause"] == "ok"
    undecodable = one(mirrored(server.port, "http", auth={"auth": "%%%"}), *images)
    assert undecodable["cause"] == "unauthorized"
    misplaced = mirrored(server.port, "http")
    misplaced["configs"] = {"127.0.0.1": {"auth": AUTH}}
    assert 'configs."127.0.0.1".auth to' in one(misplaced, *images)["fix"]


class Tokens:
    """A registry that wants a token, and the server that gives them."""

    def __init__(self, store: servers.Store, opened: Callable[[Any], Any]) -> None:
        self.reply: Reply | None = None
        self.challenge = ""
        self.denies_post = False
        self.store = store
        self.server = opened(servers.HttpServer(self._give))
        self.realm = f"http://127.0.0.1:{self.server.port}/token"
        self.registry = opened(servers.HttpServer(self._serve))

    def _give(self, request: Request) -> Reply:
        if self.reply is not None:
            return self.reply
        if self.denies_post and request.method == "POST":
            return Reply(404)
        return json_reply({"access_token" if request.method == "POST" else "token": "token-CANARY-5521"})

    def _serve(self, request: Request) -> Reply:
        error = ""
        if request.headers.get("authorization") == "Bearer token-CANARY-5521":
            if not self.challenge:
                return self.store(request)
            error = f',error="{self.challenge}"'
        scope = ',scope="repository:team/app:pull"' if "team/app" in request.path else ""
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="{self.realm}",service="registry"{scope}{error}'})


@pytest.fixture
def tokens(store: servers.Store, opened: Callable[[Any], Any]) -> Tokens:
    return Tokens(store, opened)


def test_a_token_is_fetched_as_containerd_fetches_it(tokens: Tokens) -> None:
    anonymous = one(mirrored(tokens.registry.port, "http"), IMAGE)
    assert (anonymous["cause"], anonymous["auth"]) == ("ok", "bearer")
    asked = tokens.server.requests[-1]
    assert (asked.method, asked.query) == ("GET", {"service": ["registry"], "scope": ["repository:team/app:pull"]})
    assert "authorization" not in asked.headers
    assert one(mirrored(tokens.registry.port, "http", auth=AUTH), IMAGE)["cause"] == "ok"
    asked = tokens.server.requests[-1]
    assert asked.method == "POST"
    assert b"grant_type=password" in asked.body
    assert b"username=robot" in asked.body
    tokens.denies_post = True
    assert one(mirrored(tokens.registry.port, "http", auth=AUTH), IMAGE)["cause"] == "ok"
    asked = tokens.server.requests[-1]
    assert asked.method == "GET"
    assert asked.headers["authorization"].startswith("Basic ")
    tokens.denies_post = False
    assert one(mirrored(tokens.registry.port, "http", auth={"identity_token": "refresh"}), IMAGE)["cause"] == "ok"
    assert b"grant_type=refresh_token" in tokens.server.requests[-1].body


def test_the_scope_is_that_of_the_rewritten_repository(tokens: Tokens) -> None:
    tokens.store.image("mirror/app", "1")
    config = mirrored(tokens.registry.port, "http")
    config["mirrors"]["mirrored.example.com"]["rewrite"] = {"^team/": "mirror/"}
    assert one(config, IMAGE)["cause"] == "ok"
    assert tokens.server.requests[-1].query["scope"] == ["repository:mirror/app:pull"]


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(401), "token_refused"),
        (Reply(403), "token_refused"),
        (Reply(429), "rate_limited"),
        (Reply(500), "token_server_unavailable"),
        (Reply(503), "token_server_unavailable"),
        (Reply(404), "token_server_unavailable"),
        (json_reply({}), "token_server_unavailable"),
        (Reply(200, {"Content-Type": "text/html"}, b"<html>"), "token_server_unavailable"),
    ],
)
@pytest.mark.parametrize("images", [(), (IMAGE,)])
def test_token_servers_that_give_none(tokens: Tokens, reply: Reply, cause: str, images: tuple[str, ...]) -> None:
    tokens.reply = reply
    for settings in ({}, {"auth": AUTH}):
        assert one(mirrored(tokens.registry.port, "http", **settings), *images)["cause"] == cause


def test_a_token_server_that_is_down_or_nowhere(tokens: Tokens, opened: Callable[[Any], Any]) -> None:
    with servers.closed_port() as port:
        tokens.realm = f"http://127.0.0.1:{port}/token"
        result = one(mirrored(tokens.registry.port, "http"), IMAGE)
    assert result["cause"] == "token_server_unavailable"
    assert f"127.0.0.1:{port}" in result["message"]
    tokens.realm = "http://no-such-host.invalid/token"
    assert one(mirrored(tokens.registry.port, "http"), IMAGE)["cause"] == "token_server_unavailable"
    tokens.realm = ""
    assert one(mirrored(tokens.registry.port, "http"), IMAGE)["cause"] == "token_server_unavailable"
    quiet = opened(servers.RawServer(servers.silent))
    tokens.realm = f"http://127.0.0.1:{quiet.port}/token"
    result = one(mirrored(tokens.registry.port, "http"), IMAGE, timeout=0.5)
    assert result["cause"] == "token_server_unavailable"


def test_a_token_that_does_not_help(tokens: Tokens) -> None:
    tokens.challenge = "insufficient_scope"
    assert one(mirrored(tokens.registry.port, "http", auth=AUTH), IMAGE)["cause"] == "forbidden"
    tokens.challenge = "invalid_token"
    assert one(mirrored(tokens.registry.port, "http", auth=AUTH), IMAGE)["cause"] == "unauthorized"
    # Without credentials the API itself may well refuse what it allows for a public repository.
    assert one(mirrored(tokens.registry.port, "http"))["cause"] == "ok"
    assert one(mirrored(tokens.registry.port, "http", auth=AUTH))["cause"] == "unauthorized"


def test_credentials_do_not_follow_a_redirect_to_another_host(
    opened: Callable[[Any], Any], store: servers.Store
) -> None:
    elsewhere = opened(servers.HttpServer(store))
    inner = basic(store)

    def app(request: Request) -> Reply:
        answer = inner(request)
        if answer.status == 200 and "/blobs/" in request.path:
            return Reply(307, {"Location": f"http://127.0.0.1:{elsewhere.port}{request.path}"})
        return answer

    server = opened(servers.HttpServer(app))
    assert one(mirrored(server.port, "http", auth=AUTH), IMAGE)["cause"] == "ok"
    assert elsewhere.requests
    assert all("authorization" not in request.headers for request in elsewhere.requests)


def test_nothing_secret_comes_back_even_from_servers_that_repeat_it(
    opened: Callable[[Any], Any], store: servers.Store
) -> None:
    """Each place where a server could put what it was told, or what it gave, into an answer."""
    heard: list[str] = []

    def echo(request: Request) -> Reply:
        given = request.headers.get("authorization", "")
        heard.append(given + request.body.decode())
        text = given or "nothing"
        if not given:
            realm = f"http://127.0.0.1:{server.port}/token"
            return Reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'})
        return Reply(
            403 if "fail" in request.path else 302,
            {
                "Location": f"http://user:{PASSWORD.split()[0]}@127.0.0.1:{server.port}/fail/{text.split()[-1]}",
                "Content-Type": f"text/{text.split()[-1]}",
                "WWW-Authenticate": text,
            },
            json.dumps({"errors": [{"code": text, "message": PASSWORD}]}).encode(),
        )

    def app(request: Request) -> Reply:
        if request.path == "/token":
            return json_reply({"token": "token-CANARY-5521", "access_token": "token-CANARY-5521"})
        return echo(request)

    server = opened(servers.HttpServer(app))
    config = mirrored(server.port, "http", auth=AUTH)
    results = [one(config), one(config, IMAGE)]
    text = json.dumps(results)
    assert any("CANARY" in words for words in heard)
    encoded = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
    for secret in ("CANARY", PASSWORD, encoded, "robot"):
        assert secret not in text


def test_the_secret_search_would_find_one() -> None:
    assert "CANARY" in PASSWORD
    assert "CANARY" in json.dumps([PASSWORD])


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (b"<center>No required SSL certificate was sent</center>", "client_cert_required"),
        (b"<center>The SSL certificate error</center>", "client_cert_rejected"),
        (b"something else", "unknown"),
    ],
)
def test_what_nginx_says_of_client_certificates(
    pki: Any, opened: Callable[[Any], Any], words: bytes, cause: str
) -> None:
    """With 400, after the handshake, in the words of a page: a HEAD alone would not tell."""
    context = servers.server_context(pki.folder / "server")
    server = opened(servers.HttpServer(servers.status(400, words, **{"Content-Type": "text/html"}), context))
    config = mirrored(server.port, tls={"ca_file": str(pki.ca)})
    for images in ((), (IMAGE,)):
        result = one(config, *images)
        assert (result["cause"], result["status"]) == (cause, 400)


def test_rewrites_that_only_re2_can_read_are_said(opened: Callable[[Any], Any]) -> None:
    server = opened(servers.HttpServer(servers.Store()))
    config = mirrored(server.port, "http")
    config["mirrors"]["mirrored.example.com"]["rewrite"] = {"^[[:alpha:]]+/(.*)": "x/$1"}
    result = one(config, IMAGE)
    assert result["cause"] == "not_found"
    assert "^[[:alpha:]]+/(.*)" in result["message"]


@pytest.mark.parametrize("address", ["127.0.0.1:6443", "[::1]:7443"])
def test_the_embedded_registry_lacks_what_no_node_has_pulled(address: str) -> None:
    node = planned({"mirrors": {"docker.io": None}}, embedded_mirror=address)
    target = image_targets(node, [parse_image("nginx")])[0]
    result = Describer(node).result(target, Probed("not_found", "404"))
    assert result["kind"] == "embedded"
    assert result["message"].startswith("No node of the cluster has docker.io/library/nginx:latest")
    assert "Push" not in result["fix"]


def test_an_agent_s_embedded_registry_on_ipv6_has_no_certificate_for_it() -> None:
    """K3s' own doing: the user has nothing to correct."""
    node = planned({"mirrors": {"docker.io": None}}, embedded_mirror="[::1]:6443")
    target = next(target for target in endpoint_targets(node) if target.kind == "embedded")
    result = Describer(node).result(target, Probed("tls_name_mismatch", "CN=agent-1 is for 127.0.0.1, not for ::1"))
    assert result["message"] == (
        "The embedded registry's certificate is not for [::1]:6443. (CN=agent-1 is for 127.0.0.1, not for ::1)"
    )
    assert result["fix"].startswith("Nothing as long as a later endpoint has the image.")
