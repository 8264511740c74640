# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endless, huge, broken and escape-laden answers fail the one image that they are given for, in bounded time and space.

"broken/app" is answered badly and "good/app" well, by the same server: the second is copied whatever the first gets.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.hostile import answers
from tests.hostile.bounds import bounded
from tests.hostile.mirroring import Mirror, Registry, described, digest, only
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.registries import basic, bearer
from tests.hostile.server import App
from tests.registry_faults.servers import INDEX, MANIFEST, Reply

ALL = {**answers.ENDLESS, **answers.HUGE, **answers.BROKEN, **answers.ODD}
TIME, MEMORY, QUESTION, COPY = 12.0, 40.0, 1.5, 4
"""Seconds, of which a question and a copy may take so many; MiB of Python's own, for two images."""


class Pair:
    """A source and a target with nothing wrong about them yet."""

    def __init__(self, hostile: Neighbourhood) -> None:
        self.hostile = hostile
        self.store, self.taken = Registry(), Registry()
        self.store.image("broken/app")
        self.store.image("good/app")
        self.source = hostile.server("source.test", self.store, tls=False)
        self.target = hostile.server("target.test", self.taken, tls=False)

    def run(self, time: float = TIME, **more: Any) -> dict[str, Any]:
        """What became of the image that is answered badly, after seeing that the other is there."""
        with bounded(time, MEMORY):
            limits = {"timeout": QUESTION, "copy_timeout": COPY, **more}
            broken, good = Mirror(self.hostile, self.source, self.target).run("broken/app", "good/app", **limits)
        assert good.get("action") == "copied", good
        assert self.taken.digest("good/app") == self.store.digest("good/app")
        assert broken.get("action") != "copied" or self.taken.digest("broken/app") == self.store.digest("broken/app")
        assert broken.get("message", "").isprintable()
        assert len(broken.get("message", "")) < 1000
        assert "unexpected" not in broken.get("message", ""), "a fault of ours that only the last resort caught"
        return broken


@pytest.fixture
def pair(hostile: Neighbourhood) -> Pair:
    return Pair(hostile)


def failed(item: dict[str, Any]) -> bool:
    return "failed" in (item["state"], item.get("action")) and bool(item["message"])


@pytest.mark.parametrize("name", list(ALL))
def test_a_manifest(pair: Pair, name: str) -> None:
    pair.source.app = only("broken/app/manifests/", ALL[name], pair.store)
    item = pair.run()
    # What an index of the source's own making says is its own affair: these are copied, or refused, as it is.
    assert failed(item), item
    assert pair.source.sent < 32 << 20


@pytest.mark.parametrize("name", [*answers.ENDLESS, *answers.BROKEN, "manifest of 9 MiB", "header of 1 MiB"])
def test_a_blob(pair: Pair, name: str) -> None:
    pair.source.app = only("broken/app/blobs/", ALL[name], pair.store)
    item = pair.run(time=16.0)
    assert failed(item), item
    assert ("broken/app", "1") not in pair.taken.kept


@pytest.mark.parametrize("name", list(ALL))
def test_the_target(pair: Pair, name: str) -> None:
    pair.target.app = only("broken/app/", ALL[name], pair.taken)
    item = pair.run(time=16.0)
    # "differs" is for the operator to decide: it has something else under that name.
    assert failed(item) or item.get("action") == "copied" or item["state"] == "differs", item


# What refuses a token refuses who asks, for all images alike: no account is tried until it is locked.
REFUSALS = ("long challenge", "deep errors", "half a character")


@pytest.mark.parametrize("name", [name for name in ALL if name not in REFUSALS])
def test_a_token(pair: Pair, name: str) -> None:
    tokens = pair.hostile.server("auth.test", ALL[name], tls=False)
    pair.source.app = only("broken/app/", bearer(tokens.url + "/token", "T", pair.store), pair.store)
    item = pair.run()
    assert failed(item), item
    assert tokens.sent < 16 << 20


@pytest.mark.parametrize(
    "realm",
    ["http://host:abc/", "http://host:99999/", "//host/", "", "ftp://host/", "http://[::1/", "https://user:pw@host/",
     "http://ho\x1bst/", "https://host\\@evil.test/", "http://127.0.0.1:1/", "https://" + "a" * 300 + ".test/"],
)  # fmt: skip
def test_a_realm(pair: Pair, realm: str) -> None:
    pair.source.app = only("broken/app/", bearer(realm, "T", pair.store), pair.store)
    item = pair.run()
    assert (failed(item), item["cause"]) == (True, "token_server_unavailable")


@pytest.mark.parametrize(
    "location",
    ["http://host:abc/", "http://host:0/", "ftp://host/", "http://[::1/", "https://user:pw@host/",
     "/v2/broken/app/manifests/1", "http://ho\x1bst/", "javascript:alert(1)", "http://127.0.0.1:1/"],
)  # fmt: skip
def test_a_redirect(pair: Pair, location: str) -> None:
    pair.source.app = only("broken/app/manifests/", lambda request: Reply(307, {"Location": location}), pair.store)
    assert failed(pair.run())


@pytest.mark.parametrize("location", ["", "http://host:abc/", "http://127.0.0.1:1/", "/elsewhere"])
def test_a_place_for_uploads(pair: Pair, location: str) -> None:
    begun = {"Location": location} if location else {}
    pair.target.app = only("broken/app/blobs/uploads/", lambda request: Reply(202, begun), pair.taken)
    item = pair.run()
    # A target that says that it has taken what it has not is found out when its manifest is read back.
    assert failed(item) or pair.taken.digest("broken/app"), item


def _index(*entries: Any) -> App:
    content = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)}).encode()
    return _document(content, INDEX)


def _document(content: bytes, kind: str) -> App:
    headers = {"Content-Type": kind, "Docker-Content-Digest": digest(content)}
    return lambda request: Reply(200, headers, content) if "/manifests/" in request.path else Reply(404)


GONE = described(b"gone", MANIFEST)
DOCUMENTS: dict[str, App] = {
    "numbers": _index(1, 2),
    "no digest": _index({"mediaType": MANIFEST, "size": 1}),
    "a digest that cannot be checked": _index({**GONE, "digest": "md5:" + "a" * 32}),
    "sha512": _index({**GONE, "digest": "sha512:" + "a" * 128}),
    "a path": _index({**GONE, "digest": "sha256:../../x"}),
    "a negative size": _index({**GONE, "size": -1}),
    "a size of words": _index({**GONE, "size": "1"}),
    "what is not there": _index(GONE),
    "both": _document(b'{"manifests":[],"layers":[],"config":{}}', INDEX),
    "a manifest called an index": _document(b'{"config":{},"layers":[]}', INDEX),
    "an index called a manifest": _document(b'{"manifests":[]}', MANIFEST),
    "another type inside": _document(b'{"mediaType":"%s","manifests":[]}' % MANIFEST.encode(), INDEX),
    "a page": _document(b"<html>", "text/html"),
    "schema 1": _document(b'{"schemaVersion":1}', "application/vnd.docker.distribution.manifest.v1+prettyjws"),
}


@pytest.mark.parametrize("name", list(DOCUMENTS))
@pytest.mark.parametrize("platforms", [[], ["linux/amd64"]])
def test_an_odd_document(pair: Pair, name: str, platforms: list[str]) -> None:
    pair.source.app = only("broken/app/", DOCUMENTS[name], pair.store)
    item = pair.run(platforms=platforms)
    assert failed(item), item
    assert ("broken/app", "1") not in pair.taken.kept


def test_indexes_in_indexes_are_followed_some_levels(pair: Pair) -> None:
    content = json.dumps({"mediaType": INDEX, "manifests": []}).encode()
    for _level in range(12):
        pair.store.put("broken/app", "1", content, INDEX)
        content = json.dumps({"mediaType": INDEX, "manifests": [described(content, INDEX)] * 3}).encode()
    item = pair.run()
    assert failed(item)
    assert "nested too deeply" in item["message"]


def test_escapes_are_shown_as_such(pair: Pair) -> None:
    pair.source.app = only("broken/app/", answers.escapes(), pair.store)
    # By GET, whose answer has a body.
    item = pair.run(platforms=["linux/amd64"])
    assert item["cause"] == "forbidden"
    assert "\\x1b[2K" in item["message"]
    assert "\n" not in item["message"]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "wait", ["99999999999", "86400", "Fri, 31 Dec 9999 23:59:59 GMT", "-1", "nan", "\x1b", "Sun, 99 Foo 0 0", "1e9"]
)
def test_a_registry_that_wants_to_be_waited_for_without_end(pair: Pair, status: int, wait: str) -> None:
    pair.source.app = only("broken/app/", lambda request: Reply(status, {"Retry-After": wait}), pair.store)
    assert failed(pair.run())


def test_a_silent_side_is_the_side_that_is_named(hostile: Neighbourhood) -> None:
    """The names differ by a port, so that one begins like the other."""
    store, taken = Registry(), Registry()
    store.image("good/app")
    source = hostile.server("registry.test", store, port=80, tls=False)
    refusing = basic("robot", "another")
    target = hostile.server("registry.test", refusing, port=5000, tls=False)
    mirror = Mirror(hostile, source, target, dest={"username": "robot", "password": "wrong-one"})
    (item,) = mirror.run("good/app")
    assert item["message"].startswith("registry.test:5000: ")
    target.app = taken
    (item,) = mirror.run("good/app")
    assert item["action"] == "copied"
    target.app = only("/blobs/", lambda request: Reply(405), taken)
    store.image("other/app", content=b"other")
    request = {"token": "hostile", "operation": "copy", "access": mirror.accesses, "retries": 0, "seconds": 60}
    planned = [{**mirror.item("other/app"), "state": "missing", "digest": store.digest("other/app")}]
    from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.work import answer

    answered = answer({**request, "items": planned})
    assert list(answered["broken"]) == ["dest:registry.test:5000"], "the source has done nothing wrong"
