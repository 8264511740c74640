# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal asks real servers: what it finds, how it asks, and who gets which credentials."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._live_credentials.changes import TextHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal import asking
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal import verdict as verdicts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.in_use import BRINGS, InUse, Used
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.question import Side
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.rehearsal import (
    VARIABLE,
    Rehearsal,
    refusal,
    rehearse,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.containerd_auth import auth_tables
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.hosts_toml import hosts_toml
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import parse_image

from tests.fleet import certificates
from tests.hostile import registries
from tests.hostile.neighbourhood import Neighbourhood
from tests.registry_faults import servers
from tests.registry_faults.servers import HttpServer, Reply, Request, Store

REGISTRY = "mirrored.test"


@pytest.fixture
def opened() -> Iterator[Callable[[Any], Any]]:
    """Enters a server and leaves it when the test ends."""
    with ExitStack() as stack:
        yield stack.enter_context


def side(endpoints: list[str], configs: Any = None, files: Any = None, registry: str = REGISTRY, **mirror: Any) -> Side:
    config = normalise({"mirrors": {registry: {"endpoint": endpoints, **mirror}}, "configs": configs})
    return Side(TextHosts(hosts_toml(config, default_endpoint=False), auth_tables(config)), files or {})


def images(*names: str, registry: str = REGISTRY, **more: Any) -> InUse:
    return InUse([Used(parse_image(registry + "/" + name), **more) for name in names], [])


def run(used: InUse, before: Side, after: Side, ca: Path | None = None, **more: Any) -> Rehearsal:
    return rehearse(used, before, after, {"SSL_CERT_FILE": str(ca or os.devnull)}, **more)


def by_image(found: Rehearsal) -> dict[str, str]:
    return {item["image"].partition("/")[2]: item["verdict"] for item in found.images}


def http(server: Any) -> str:
    return "http://127.0.0.1:%d" % server.port


def store(*repositories: str) -> Store:
    made = Store()
    for repository in repositories:
        made.image(repository, "1", ("amd64", "arm64", "386", "arm", "riscv64", "s390x", "ppc64le"))
    return made


def test_a_mirror_that_lacks_one_of_the_images(opened: Any) -> None:
    names = ["team/app%d" % number for number in range(10)]
    old, new = opened(HttpServer(store(*names))), opened(HttpServer(store(*names[1:])))
    used = images(*(name + ":1" for name in names))
    found = run(used, side([http(old)]), side([http(new)]))
    assert found.counts[verdicts.OTHER_PLACE] == 9
    assert found.stops
    (lost,) = (item for item in found.images if item["verdict"] == verdicts.LOST)
    assert (lost["image"], lost["cause"]) == ("mirrored.test/team/app0:1", "not_found")
    assert lost["endpoint"] == http(new) + "/v2"
    said = refusal(found)
    assert lost["image"] in said
    assert lost["fix"] in said
    assert VARIABLE in said
    # With the old one behind it, it stays where it was.
    found = run(used, side([http(old)]), side([http(new), http(old)]))
    assert by_image(found)["team/app0:1"] == verdicts.SAME_PLACE
    assert (found.stops, refusal(found)) == (False, "")
    found = run(used, side([http(old)]), side([http(new)]), allow=["mirrored.test/team/app0"])
    assert (found.stops, found.counts[verdicts.LOST]) == (False, 1)


def test_a_question_with_one_answer_is_asked_once(opened: Any) -> None:
    server = opened(HttpServer(store("team/app")))
    same = side([http(server)])
    found = run(images("team/app:1"), same, side([http(server)]))
    assert by_image(found) == {"team/app:1": verdicts.SAME_PLACE}
    asked = [(request.method, request.path) for request in server.requests]
    assert [method for method, _path in asked] == ["HEAD", "GET", "GET", "GET", "HEAD"]
    assert len(set(asked)) == len(asked)


def test_what_is_broken_today_is_neither_fine_where_it_stays_nor_lost_where_it_goes(opened: Any) -> None:
    broken, whole = Store(), store("team/app")
    digests = broken.image("team/app", "1")
    broken.blobs = {digest: blob for digest, blob in broken.blobs.items() if digest not in digests.values()}
    old, new, empty = (side([http(opened(HttpServer(item)))]) for item in (broken, whole, store()))
    for after, wanted in ((old, verdicts.BROKEN), (new, verdicts.GAINED), (empty, verdicts.BROKEN)):
        assert by_image(run(images("team/app:1"), old, after)) == {"team/app:1": wanted}


def test_who_comes_later_is_asked_only_for_what_the_first_does_not_have(opened: Any) -> None:
    """The names of private images are no business of a public registry that nobody would ask."""
    first, second = opened(HttpServer(store("private/app"))), opened(HttpServer(store("public/tool")))
    both = side([http(first), http(second)])
    found = run(images("private/app:1", "public/tool:1"), both, side([http(first), http(second), http(second)]))
    assert set(by_image(found).values()) == {verdicts.SAME_PLACE}
    assert {request.path.split("/")[2:4] == ["public", "tool"] for request in second.requests} == {True}
    assert found.asked == 3


def test_who_is_not_asked_can_fail_a_pull_with_the_files_of_its_settings(opened: Any, tmp_path: Path) -> None:
    server = opened(HttpServer(store("team/app")))
    bad = tmp_path / "no-certificate.crt"
    bad.write_text("nothing")
    configs = {"127.0.0.1:1": {"tls": {"ca_file": str(bad)}}}
    after = side([http(server), "https://127.0.0.1:1"], configs)
    (found,) = run(images("team/app:1"), side([http(server)]), after).images
    assert (found["verdict"], found["cause"]) == (verdicts.LOST, "ca_invalid")


def test_what_two_registries_lack_of_an_image_may_be_at_the_other(opened: Any) -> None:
    """containerd takes the manifest from the first, and each blob from whoever has it."""
    halves = []
    for lacks in ("config", "layer"):
        half = store("team/app")
        half.blobs = {key: blob for key, blob in half.blobs.items() if blob.startswith(b"{") != (lacks == "config")}
        halves.append(http(opened(HttpServer(half))))
    whole = side([http(opened(HttpServer(store("team/app"))))])
    assert by_image(run(images("team/app:1"), whole, side(halves))) == {"team/app:1": verdicts.NOT_KNOWN}
    assert by_image(run(images("team/app:1"), whole, side(halves[:1]))) == {"team/app:1": verdicts.LOST}


def test_content_is_looked_at_where_that_is_free(opened: Any) -> None:
    old = opened(HttpServer(store("team/app")))
    other = Store()
    other.image("team/app", "1", ("mips64",))
    new = opened(HttpServer(other))
    found = run(images("team/app:1"), side([http(old)]), side([http(new)]))
    assert (found.images[0]["verdict"], found.images[0]["cause"]) == (verdicts.LOST, "platform_missing")
    # Docker Hub counts what is read of a manifest, also behind a mirror that passes it on.
    old.requests.clear()
    new.requests.clear()
    ends = [side([http(server)], registry="docker.io") for server in (old, new)]
    run(images("team/app:1", registry="docker.io"), *ends)
    assert {request.method for request in (*old.requests, *new.requests)} == {"HEAD"}


def test_a_tag_with_another_digest(opened: Any) -> None:
    old, new = store("team/app"), Store()
    new.image("team/app", "1", ("amd64", "arm64"))
    wanted = dict.fromkeys(("running", "new"), "sha256:")
    wanted["running"] = servers.digest_of(old.manifests["team/app", "1"][1])
    wanted["new"] = servers.digest_of(new.manifests["team/app", "1"][1])
    ends = [side([http(opened(HttpServer(item)))]) for item in (old, new)]
    (found,) = run(images("team/app:1", digests=(wanted["running"],)), *ends).images
    assert (found["verdict"], found["digest"]) == (verdicts.OTHER_PLACE, wanted["new"])


def test_pods_with_credentials_of_their_own_are_not_asked_for(opened: Any) -> None:
    server = opened(HttpServer(store()))
    found = run(images("team/app:1", credentials=BRINGS), side([http(server)]), side([http(server)]))
    assert by_image(found) == {"team/app:1": verdicts.OWN_CREDENTIALS}
    assert server.requests == []


def test_no_more_than_a_few_questions_at_a_time(opened: Any) -> None:
    names = ["team/app%d" % number for number in range(60)]
    content = store(*names)
    now, most, lock = [0], [0], threading.Lock()
    full = threading.Event()

    def app(request: Request) -> Reply:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] == asking.AT_ONCE:
                full.set()
        # Until as many are there as may be: a ninth would have come.
        full.wait(10)
        try:
            return content(request)
        finally:
            with lock:
                now[0] -= 1

    server = opened(HttpServer(app))
    found = run(images(*(name + ":1" for name in names)), side([http(server)]), side([http(server)]))
    assert found.counts[verdicts.SAME_PLACE] == 60
    assert most == [asking.AT_ONCE]


def test_a_registry_that_wants_to_be_left_alone_is(opened: Any) -> None:
    content, times = store("team/app"), []

    def app(request: Request) -> Reply:
        times.append(time.monotonic())
        return Reply(429, {"Retry-After": "1"}) if len(times) == 1 else content(request)

    server = opened(HttpServer(app))
    found = run(images("team/app:1"), side([http(server)]), side([http(server)]))
    assert by_image(found) == {"team/app:1": verdicts.SAME_PLACE}
    assert times[1] - times[0] >= 1


def test_and_for_longer_than_there_is_time_it_is_asked_no_more(opened: Any) -> None:
    server = opened(HttpServer(servers.status(429, **{"Retry-After": "3600"})))
    names = ["team/app%d:1" % number for number in range(100)]
    began = time.monotonic()
    found = run(images(*names), side([http(server)]), side([http(server)]), seconds=30)
    assert time.monotonic() - began < 20
    assert found.counts[verdicts.NOT_KNOWN] == 100
    assert {item["cause"] for item in found.images} == {"rate_limited"}
    assert len(server.requests) <= asking.AT_ONCE
    assert not found.stops


def test_a_host_that_cannot_be_reached_is_not_asked_for_every_image(opened: Any) -> None:
    names = ["team/app%d" % number for number in range(50)]
    old = opened(HttpServer(store(*names)))
    connections: list[bytes] = []

    def no_tls(connection: Any) -> None:
        connections.append(b"")
        servers.ssh(connection)

    other = opened(servers.RawServer(no_tls))
    used = images(*(name + ":1" for name in names))
    found = run(used, side([http(old)]), side(["https://127.0.0.1:%d" % other.port]))
    assert found.counts[verdicts.LOST] == 50
    assert {item["cause"] for item in found.images} == {"not_tls"}
    assert len(connections) <= 2 * asking.AT_ONCE
    with HttpServer(store()) as gone:
        port = gone.port
    found = run(used, side([http(old)]), side(["http://127.0.0.1:%d" % port]))
    assert found.counts[verdicts.LOST] == 50
    assert {item["cause"] for item in found.images} == {"connection_refused"}


def test_a_registry_that_wants_to_be_left_alone_is_where_it_comes_second_too(opened: Any) -> None:
    names = ["team/app%d" % number for number in range(30)]
    busy, empty = opened(HttpServer(servers.status(429, **{"Retry-After": "3600"}))), opened(HttpServer(store()))
    mirrors = {"one.test": {"endpoint": [http(busy)]}, "two.test": {"endpoint": [http(empty), http(busy)]}}
    config = normalise({"mirrors": mirrors, "configs": None})
    both = Side(TextHosts(hosts_toml(config, default_endpoint=False), {}), {})
    used = [Used(parse_image("%s/%s:1" % (registry, name))) for registry in mirrors for name in names]
    found = run(InUse(used, []), both, both)
    assert found.counts[verdicts.NOT_KNOWN] == 60
    assert len(busy.requests) <= asking.AT_ONCE


def test_a_registry_that_says_nothing_holds_nobody(opened: Any) -> None:
    names = ["team/app%d" % number for number in range(40)]
    old, mute = opened(HttpServer(store(*names))), opened(servers.RawServer(servers.silent))
    began = time.monotonic()
    used = images(*(name + ":1" for name in names))
    found = run(used, side([http(old)]), side([http(mute)]), seconds=2)
    assert time.monotonic() - began < 15
    assert found.counts[verdicts.NOT_KNOWN] == 40
    assert {item["cause"] for item in found.images} == {"timeout"}


def test_each_configurations_credentials_go_to_their_registry_only(hostile: Neighbourhood) -> None:
    old, new = hostile.secret("old"), hostile.secret("new")
    one = hostile.server("one.test", registries.basic("robot", old))
    two = hostile.server("two.test", registries.basic("robot", new))
    auths = [
        {server.host: {"auth": {"username": "robot", "password": password}}}
        for server, password in ((one, old), (two, new))
    ]
    used = images("%s:%s" % (registries.REPOSITORY, registries.TAG))
    found = run(used, side([one.url], auths[0]), side([two.url], auths[1]), hostile.ca)
    assert list(by_image(found).values()) == [verdicts.OTHER_PLACE]
    hostile.ledger.check(old=[one], new=[two])
    assert not any(secret in json.dumps(found.as_dict()) for secret in (old, new))


def test_new_credentials_for_the_same_endpoint_are_tried_apart(hostile: Neighbourhood) -> None:
    old, new = hostile.secret("old"), hostile.secret("new")
    registry = hostile.server("registry.test", registries.basic("robot", old))
    before, after = (
        side([registry.url], {registry.host: {"auth": {"username": "robot", "password": password}}})
        for password in (old, new)
    )
    used = images("%s:%s" % (registries.REPOSITORY, registries.TAG))
    (lost,) = run(used, before, after, hostile.ca).images
    assert (lost["verdict"], lost["cause"]) == (verdicts.LOST, "unauthorized")
    assert by_image(run(used, after, before, hostile.ca)) == {used.images[0].image.text[14:]: verdicts.SAME_PLACE}
    hostile.ledger.check(old=[registry], new=[registry])


@pytest.mark.parametrize(
    ("accepted", "found", "tries"), [("new", verdicts.SAME_PLACE, 0), ("none", verdicts.BROKEN, 1)]
)
def test_a_login_that_is_replaced_is_hardly_tried(
    hostile: Neighbourhood, accepted: str, found: str, tries: int
) -> None:
    """It may be wrong by now, and a registry that locks accounts counts."""
    logins = {name: hostile.secret(name) for name in ("old", "new", "none")}
    answer = registries.basic("robot", logins[accepted])
    seen: Counter[str] = Counter()

    def app(request: registries.Request) -> Any:
        seen[request.authorization or ""] += 1
        return answer(request)

    registry = hostile.server("registry.test", app)
    before, after = (
        side([registry.url], {registry.host: {"auth": {"username": "robot", "password": logins[name]}}})
        for name in ("old", "new")
    )
    there = "%s:%s" % (registries.REPOSITORY, registries.TAG)
    used = images(there, *("team/missing-%d:1" % number for number in range(20)))
    said = by_image(run(used, before, after, hostile.ca))
    assert said.pop(there) == found
    assert set(said.values()) == {verdicts.BROKEN}
    assert seen[registries.basic_header("robot", logins["old"])] == tries


def test_the_new_certificates_are_tried_without_being_written(tmp_path: Path, opened: Any) -> None:
    authority = certificates.authority("Test CA")
    authority.write(tmp_path / "ca")
    certificates.issue(authority, "server", ("127.0.0.1",)).write(tmp_path / "server")
    certificates.issue(authority, "node", client=True).write(tmp_path / "client")
    context = servers.server_context(tmp_path / "server", tmp_path / "ca.crt")
    server = opened(HttpServer(store("team/app"), context))
    there = tmp_path / "etc"
    paths = {"ca_file": "ca.crt", "cert_file": "client.crt", "key_file": "client.key"}
    tls = {key: str(there / name) for key, name in paths.items()}
    contents = {str(there / name): (tmp_path / name).read_bytes() for name in paths.values()}
    host = "127.0.0.1:%d" % server.port
    before = side(["https://" + host])
    after = side(["https://" + host], {host: {"tls": tls}}, contents)
    kept = sorted(tmp_path.rglob("*"))
    (found,) = run(images("team/app:1"), before, after).images
    assert found["verdict"] == verdicts.GAINED, found
    assert sorted(tmp_path.rglob("*")) == kept
    # Another content under the same paths is another question.
    broken = dict(contents, **{tls["ca_file"]: b"no certificate"})
    (found,) = run(images("team/app:1"), after, after._replace(files=broken)).images
    assert (found["verdict"], found["cause"]) == (verdicts.LOST, "ca_invalid")
