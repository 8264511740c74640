# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a server sends, a probe ends soon, needs little memory, and says in a sentence what was wrong."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._pulls.advice import ADVICE

from tests.hostile import answers, proxies, registries
from tests.hostile.bounds import bounded
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.probing import EITHER, IMAGE, Node
from tests.hostile.server import App, Request
from tests.registry_faults.servers import INDEX, MANIFEST, Reply, digest_of, json_reply

TIMEOUT = 1.0
SECONDS, MEGABYTES = 8.0, 48.0
"""A probe's deadline is one second here, the machine may be busy; the threads of the servers count, too."""
ALL: dict[str, App] = {**answers.ENDLESS, **answers.HUGE, **answers.BROKEN, **answers.ODD}
MIB = 1 << 20


def sound(result: dict[str, Any]) -> str:
    """The cause of a result that is fit to be seen: a known cause, sentences, no failure of the probe's own."""
    assert result["cause"] in ADVICE, result
    assert result["message"]
    assert len(result["message"]) < 2000
    assert result["fix"]
    assert "the probe failed" not in result["message"], result["message"]
    return str(result["cause"])


@pytest.mark.parametrize("images", EITHER)
@pytest.mark.parametrize("name", ALL)
def test_a_registry_of_any_kind(hostile: Neighbourhood, name: str, images: tuple[str, ...]) -> None:
    registry = hostile.server("registry.test", ALL[name], tls=False)
    with bounded(SECONDS, MEGABYTES):
        result = Node(hostile, registry).one(*images, timeout=TIMEOUT)
    # A front page with an odd body is still one: nothing of it is used.
    if result["cause"] != "ok":
        sound(result)
    assert images == () or result["cause"] != "ok"
    assert registry.sent < 40 * MIB


@pytest.mark.parametrize("name", ALL)
def test_a_token_server_of_any_kind(hostile: Neighbourhood, name: str) -> None:
    password = hostile.secret("password")
    tokens = hostile.server("token.test", ALL[name])
    registry = hostile.server("registry.test", registries.bearer(tokens.url, "t" * 40))
    node = Node(hostile, registry).password(registry, password)
    with bounded(SECONDS, MEGABYTES):
        result = node.one(timeout=TIMEOUT)
    # An odd one may refuse, or lead elsewhere.
    causes = ("token_server_unavailable", *(("token_refused", "rate_limited", "unauthorized") * (name in answers.ODD)))
    assert sound(result) in causes, result
    assert "token.test" in result["message"]
    hostile.ledger.check(password=[tokens])
    # Not more than 64 KiB are read, and what fits into buffers on the way.
    assert tokens.sent < 16 * MIB


@pytest.mark.parametrize("name", [*answers.ENDLESS, "header of 1 MiB", "5000 headers", *answers.BROKEN])
def test_a_proxy_of_any_kind(hostile: Neighbourhood, name: str) -> None:
    proxy = hostile.server("proxy.test", ALL[name], 3128, tls=False)
    registry = hostile.server("registry.test", registries.filled())
    with bounded(SECONDS, MEGABYTES):
        result = Node(hostile, registry).one(timeout=TIMEOUT, environment={"HTTPS_PROXY": proxy.url})
    sound(result)
    assert "proxy.test:3128" in result["message"]


def content(hostile: Neighbourhood, app: App, name: str = IMAGE) -> dict[str, Any]:
    registry = hostile.server("registry.test", app, tls=False)
    with bounded(SECONDS, MEGABYTES):
        return Node(hostile, registry).one(name, timeout=TIMEOUT)


def serving(kind: str, body: bytes, **headers: str) -> App:
    return lambda _request: Reply(200, {"Content-Type": kind, **headers}, body)


def test_manifests_of_up_to_4_mib_are_read(hostile: Neighbourhood) -> None:
    store = registries.filled()
    kind, manifest = store.manifests[registries.REPOSITORY, registries.TAG]
    store.manifest(registries.REPOSITORY, registries.TAG, kind, manifest + b" " * (4 * MIB - len(manifest)))
    assert content(hostile, store)["cause"] == "ok"  # type: ignore[arg-type]
    store.manifest(registries.REPOSITORY, registries.TAG, kind, manifest + b" " * (4 * MIB + 1 - len(manifest)))
    result = content(hostile, store)  # type: ignore[arg-type]
    assert sound(result) == "manifest_unsupported"
    assert "larger than 4 MiB" in result["message"]


def test_tokens_of_up_to_64_kib_are_read(hostile: Neighbourhood) -> None:
    registry = hostile.server("registry.test", registries.bearer("", ""))
    for length, cause in ((60 << 10, "ok"), (70 << 10, "token_server_unavailable")):
        token = "t" * length
        tokens = hostile.server("token.test", lambda _request, token=token: json_reply({"token": token}))
        registry.app = registries.bearer(tokens.url, token)
        result = Node(hostile, registry).one()
        assert result["cause"] == cause, length
    assert "larger than 64 KiB" in result["message"]


ODD_DIGESTS = (
    "sha256:../../../../../../admin",
    "md5:" + "a" * 32,
    "sha256:" + "A" * 64,
    "sha256:a?x=\x1b[2K",
    "",
    "x" * 99999,
)


@pytest.mark.parametrize("digest", ODD_DIGESTS)
@pytest.mark.parametrize("place", ["index", "config", "header", "header of a digest"])
def test_a_digest_that_cannot_be_verified_is_not_believed(hostile: Neighbourhood, digest: str, place: str) -> None:
    if place == "index":
        reply = json_reply({"manifests": [{"mediaType": MANIFEST, "digest": digest, "size": 2}]})
        app = serving(INDEX, reply.body)
    elif place == "config":
        app = serving(MANIFEST, json_reply({"config": {"digest": digest, "size": 2}, "layers": []}).body)
    else:
        if not digest or len(digest) > 9999:
            digest = "sha1:" + "a" * 40
        app = registries.lying(registries.filled(), digest)
    name = IMAGE.replace(":1", "@sha256:" + "a" * 64) if place == "header of a digest" else IMAGE
    result = content(hostile, app, name)
    assert sound(result) in ("manifest_unsupported", "not_a_registry", "digest_mismatch", "not_found"), result
    assert "\x1b" not in repr(result)


def test_a_pinned_image_is_what_its_digest_says(hostile: Neighbourhood) -> None:
    store = registries.filled()
    other = b'{"config":{"digest":"sha256:%s","size":1}}' % (b"b" * 64)
    pinned = IMAGE.replace(":1", "@" + digest_of(store.manifests[registries.REPOSITORY, registries.TAG][1]))
    substituted = content(hostile, registries.substituting(store, other, MANIFEST), pinned)
    assert sound(substituted) == "digest_mismatch"
    registry = hostile.server("liar.test", registries.lying(store, "sha256:" + "c" * 64), tls=False)
    # Also where only the manifest's existence is asked for.
    for whole in (True, False):
        assert sound(Node(hostile, registry).one(pinned, content=whole)) == "digest_mismatch"
        assert Node(hostile, registry).one(IMAGE, content=whole)["cause"] == ("digest_mismatch" if whole else "ok")


ODD_FIELDS: dict[str, bytes] = {
    "platform of a long variant": b'{"manifests":[{"platform":{"os":"linux","architecture":"arm","variant":"v%s"}}]}'
    % (b"9" * MIB),
    "platform of objects": b'{"manifests":[{"platform":{"os":{},"architecture":[1],"variant":{"a":[]}}}]}',
    "platform that is deep": b'{"manifests":[{"platform":{"os":"linux","architecture":'
    + b"[" * 900
    + b"]" * 900
    + b"}}]}",
    "size of many digits": b'{"config":{"digest":"sha256:%s","size":%s}}' % (b"a" * 64, b"9" * 4000),
    "many layers": b'{"config":{},"layers":['
    + b",".join(b'{"digest":"sha256:%064d"}' % n for n in range(30000))
    + b"]}",
}


@pytest.mark.parametrize("name", ODD_FIELDS)
def test_odd_fields(hostile: Neighbourhood, name: str) -> None:
    kind = INDEX if "platform" in name else MANIFEST

    def app(request: Request) -> Any:
        if "/blobs/" in request.path:
            return Reply(200, {"Content-Length": "0"})
        return serving(kind, ODD_FIELDS[name])(request)

    sound(content(hostile, app))


@pytest.mark.parametrize("length", ["\xb2\xb3", "9" * 5000, "-1", "1e3", "0x2"])
def test_odd_lengths_of_blobs(hostile: Neighbourhood, length: str) -> None:
    store = registries.filled()

    def app(request: Request) -> Any:
        if "/blobs/" in request.path and request.method == "HEAD":
            return iter([b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n" % length.encode("latin-1")])
        return store(request)  # type: ignore[arg-type]

    result = content(hostile, app)
    assert result["cause"] in ("ok", "digest_mismatch"), result


def test_many_hostile_registries_take_one_deadline(hostile: Neighbourhood) -> None:
    app: App = answers.endless_continue
    servers = [hostile.server(f"r{number}.test", app, tls=False) for number in range(4)]
    servers += [hostile.server(f"s{number}.test", answers.dripping_body, tls=False) for number in range(20)]
    with bounded(SECONDS, MEGABYTES):
        results = Node(hostile, *servers).probe(IMAGE, timeout=TIMEOUT)
    assert len(results) == len(servers)
    assert all(result["cause"] in ("not_http", "timeout") for result in results), [r["cause"] for r in results]


def test_many_images_of_one_hostile_registry_need_no_more_memory_than_one(hostile: Neighbourhood) -> None:
    """Each manifest becomes thirty times as large where it is read, and all of them are asked for at the same time."""
    manifest = b'{"layers":[' + b"[]," * (MIB // 3) + b"0]}"
    registry = hostile.server("registry.test", serving(MANIFEST, manifest), tls=False)
    images = [f"mirrored.test/team/app-{number}:1" for number in range(8)]
    with bounded(60, 60):
        results = Node(hostile, registry).probe(*images, timeout=30)
    assert {sound(result) for result in results} == {"manifest_unsupported"}


def test_an_impersonating_proxy_may_not_stall_either(hostile: Neighbourhood) -> None:
    proxy = hostile.server("proxy.test", proxies.impersonating(answers.slow_continue, None), 3128, tls=False)
    registry = hostile.server("registry.test", registries.filled(), tls=False)
    with bounded(SECONDS, MEGABYTES):
        result = Node(hostile, registry).one(timeout=TIMEOUT, environment={"HTTP_PROXY": proxy.url})
    assert sound(result) in ("timeout", "not_http")
