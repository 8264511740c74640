# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for by a digest is that, whatever the source says; what is copied is what its digest says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.work import answer

from tests.hostile.mirroring import Mirror, Registry, described, digest, only
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.registries import lying, substituting
from tests.hostile.server import Answer, App, HostileServer, Request
from tests.registry_faults.servers import INDEX, Reply

EVIL = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()


class Pair:
    def __init__(self, hostile: Neighbourhood) -> None:
        self.store, self.taken = Registry(), Registry()
        self.pinned = self.store.image("team/app")
        self.source: HostileServer = hostile.server("source.test", self.store, tls=False)
        self.target: HostileServer = hostile.server("target.test", self.taken, tls=False)
        self.mirror = Mirror(hostile, self.source, self.target, by_address=True)


@pytest.fixture
def pair(hostile: Neighbourhood) -> Pair:
    return Pair(hostile)


def without_header(app: App) -> App:
    """Says nothing of digests, so that the content is all there is."""

    def asked(request: Request) -> Answer:
        reply = app(request)
        assert isinstance(reply, Reply)
        return reply._replace(headers={k: v for k, v in reply.headers.items() if k != "Docker-Content-Digest"})

    return asked


def agreeing(app: App, said: str) -> App:
    """Says the digest that was asked for, and sends something else."""

    def asked(request: Request) -> Answer:
        reply = app(request)
        assert isinstance(reply, Reply)
        return reply._replace(headers={**reply.headers, "Docker-Content-Digest": said})

    return asked


@pytest.mark.parametrize("export", [False, True])
@pytest.mark.parametrize(
    "way", ["lies", "lies and sends it", "agrees and sends another", "says nothing", "sends nothing else"]
)
def test_a_pinned_image_is_that_or_fails(pair: Pair, tmp_path: Path, export: bool, way: str) -> None:
    evil = substituting(pair.store, EVIL, INDEX)
    pair.store.put("team/app", digest(EVIL), EVIL, INDEX)
    pair.source.app = {
        "lies": lying(pair.store, digest(EVIL)),
        "lies and sends it": agreeing(evil, digest(EVIL)),
        "agrees and sends another": agreeing(evil, pair.pinned),
        "says nothing": without_header(evil),
        "sends nothing else": pair.store,
    }[way]
    item = pair.mirror.item("team/app@" + pair.pinned)
    layout = tmp_path / "export"
    if export:
        item["target"] = {"layout": str(layout)}
    pair.mirror.item = lambda name: item  # type: ignore[method-assign]
    (ended,) = pair.mirror.run("team/app", export=str(layout) if export else "")
    if way == "sends nothing else":
        assert (ended["action"], ended["digest"]) == ("copied", pair.pinned)
        return
    assert pair.taken.kept == {}
    assert ended.get("cause") == "digest_mismatch", ended
    assert pair.pinned in ended["message"]
    assert not (layout / "index.json").exists()


@pytest.mark.parametrize("algorithm", ["sha512:" + "a" * 128, "sha384:" + "a" * 96])
def test_an_algorithm_that_is_not_verified_is_refused(pair: Pair, algorithm: str) -> None:
    pair.source.app = agreeing(substituting(pair.store, EVIL, INDEX), algorithm)
    (ended,) = pair.mirror.run("team/app@" + algorithm)
    assert pair.taken.kept == {}
    assert ended["cause"] == "digest_mismatch"
    assert "only SHA-256 can be checked" in ended["message"]


def test_a_target_that_says_it_has_another_digest_than_was_asked_for_is_no_target(pair: Pair) -> None:
    pair.taken.put("team/app", pair.pinned, EVIL, INDEX)
    pair.target.app = lying(pair.taken, digest(EVIL))  # type: ignore[arg-type]
    (ended,) = pair.mirror.run("team/app@" + pair.pinned)
    assert ended["cause"] == "digest_mismatch"


def test_a_tag_is_copied_as_the_plan_has_found_it(pair: Pair) -> None:
    """What the source says in the plan is what it has to send then."""
    pair.source.app = lying(pair.store, "sha256:" + "a" * 64)  # type: ignore[arg-type]
    (ended,) = pair.mirror.run("team/app")
    assert ended["action"] == "failed"
    assert pair.taken.kept == {}


def test_a_digest_that_is_none_is_not_believed(pair: Pair) -> None:
    pair.source.app = lying(pair.store, "hunter2\x1b[2J")  # type: ignore[arg-type]
    (ended,) = pair.mirror.run("team/app")
    assert (ended["action"], ended["digest"]) == ("copied", pair.pinned)


@pytest.mark.parametrize("platforms", [[], ["amd64"]])
def test_a_tag_that_moves_between_plan_and_copy_is_copied_as_planned(pair: Pair, platforms: list[str]) -> None:
    request = {"token": "t", "access": pair.mirror.accesses, "retries": 0, "platforms": platforms}
    planned = answer({**request, "operation": "plan", "items": [pair.mirror.item("team/app")]})["items"]
    moved = pair.store.image("team/app", content=b"moved")
    (ended,) = answer({**request, "operation": "copy", "items": planned, "seconds": 60})["items"]
    assert (ended["action"], ended["digest"]) == ("copied", pair.pinned)
    assert pair.taken.digest("team/app") == pair.pinned != moved


@pytest.mark.parametrize("size", [-2, 0, 3])
def test_a_blob_with_other_content_or_another_size_is_not_stored(pair: Pair, size: int) -> None:
    """The target would take it: it does not look."""

    def damaged(request: Request) -> Answer:
        content = pair.store.blobs[request.path.rpartition("/")[2]]
        return Reply(200, {}, (b"x" * len(content))[: size or None] + b"xxx"[: max(size, 0)])

    def careless(request: Request) -> Answer:
        return Reply(201) if request.method == "PUT" and "/uploads/" in request.path else pair.taken(request)

    pair.source.app, pair.target.app = only("/blobs/", damaged, pair.store), careless
    (ended,) = pair.mirror.run("team/app")
    assert (ended["action"], ended["cause"]) == ("failed", "digest_mismatch")
    assert pair.taken.kept == {}
    sent = [request.body for request in pair.target.requests if request.method == "PUT"]
    assert sent == [], "an upload that cannot be right is not finished"


def test_a_child_of_another_size_than_its_index_says_is_refused(pair: Pair) -> None:
    kept = pair.store.kept.items()
    (child,) = [content for (_repository, name), (content, kind) in kept if kind != INDEX and ":" in name]
    index = json.dumps({"mediaType": INDEX, "manifests": [{**described(child, "x"), "size": 1}]}).encode()
    pair.store.put("team/app", "1", index, INDEX)
    (ended,) = pair.mirror.run("team/app")
    assert ended["cause"] == "digest_mismatch"
    assert ("team/app", "1") not in pair.taken.kept


@pytest.mark.parametrize("password", ["team", "mirror", "docker.io", "127.66"])
def test_a_password_that_is_a_name_too_leaves_the_names_alone(hostile: Neighbourhood, password: str) -> None:
    store, taken = Registry(), Registry()
    store.image("team/mirror")
    source, target = hostile.server("source.test", store, tls=False), hostile.server("target.test", taken, tls=False)
    login = {"username": "robot", "password": password}
    mirror = Mirror(hostile, source, target, by_address=True, src=login, dest=login)
    (ended,) = mirror.run("team/mirror")
    assert (ended["image"], ended.get("action")) == ("docker.io/team/mirror", "copied"), ended
    assert ended["source"] == mirror.item("team/mirror")["source"]
    assert list(dict.fromkeys(repository for repository, _name in taken.kept)) == ["team/mirror"]


def test_what_a_registry_says_again_of_a_password_is_masked(hostile: Neighbourhood) -> None:
    said: dict[str, Any] = {"errors": [{"message": "no user robot with hunter2secret"}]}
    source = hostile.server("source.test", lambda request: Reply(403, {}, json.dumps(said).encode()), tls=False)
    target = hostile.server("target.test", Registry(), tls=False)
    login = {"username": "robot", "password": "hunter2secret"}
    (ended,) = Mirror(hostile, source, target, src=login).run("team/app", platforms=["amd64"])
    assert "no user robot with ********" in ended["message"]
