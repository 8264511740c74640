# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.access import Access
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.arguments import MIRROR_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.exchange import (
    Answer,
    Item,
    Source,
    Target,
    encoded,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.lists import ListProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.places import Place
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._mirror_request import progress, wanted
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._mirror_request.accesses import (
    Accesses,
    AccessProblem,
)


def arguments(**given: Any) -> dict[str, Any]:
    return {**{name: spec.get("default") for name, spec in MIRROR_ARGUMENTS.items()}, **given}


def items(given: dict[str, Any], gathered: Answer | None = None, **mirrors: Any) -> list[Item]:
    config = normalise({"mirrors": mirrors.get("mirrors", {"*": {"endpoint": ["https://r"]}})})
    return wanted.wanted(given, config, gathered or Answer(), lambda path: b"docker.io/from/%s:1\n" % path.encode())


def test_images_of_all_sources_are_one_list() -> None:
    archived = Item("docker.io/t/t:1", Source("archive", path="/x.tar", name="a", config="sha256:1"))
    found = items(
        arguments(images=["nginx:1"], image_files=["a", "b"], releases=["v1.34.3+k3s1"]),
        Answer([archived], texts=["docker.io/from/a:1\nquay.io/q/q:1\n"]),
    )
    assert [item.image for item in found] == [
        "docker.io/t/t:1", "docker.io/library/nginx:1", "docker.io/from/a:1", "docker.io/from/b:1", "quay.io/q/q:1"
    ]  # fmt: skip
    assert wanted.hosts_of(found) == {"src:registry-1.docker.io": "https", "src:quay.io": "https", "dest:r": "https"}


def test_an_image_without_a_place_fails_alone() -> None:
    found = items(arguments(images=["nginx:1", "quay.io/a/b:1"]), mirrors={"quay.io": {"endpoint": ["https://r"]}})
    assert [item.state for item in found] == ["failed", ""]
    assert "add mirrors.docker.io" in found[0].message


def test_two_images_in_one_place_are_refused() -> None:
    mirrors = {"*": {"endpoint": ["https://r"], "rewrite": {"^.*$": "all"}}}
    found = items(arguments(images=["nginx:1", "quay.io/a/b:1", "quay.io/a/b:2"]), mirrors=mirrors)
    assert [item.state for item in found] == ["", "failed", ""]
    assert "same place as docker.io/library/nginx:1" in found[1].message


def test_an_export_needs_no_mirror() -> None:
    (item,) = items(arguments(images=["nginx:1"], export_to="/srv/x.tar"), mirrors={})
    assert item.target == Target(layout="/srv/x.tar.partial")
    assert wanted.export_folder("/srv/x/") == ("/srv/x", "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"config": {"mirrors": {}}}, "nothing to mirror"),
        ({"images": ["a"]}, "has to say where"),
        ({"import_from": ["/a"], "export_to": "/b"}, "does not go with"),
        ({"images": ["a"], "export_to": "b.tar"}, "b.tar is a path on the host that copies"),
        ({"archives": ["x/a.tar"], "config": {"mirrors": {}}}, "write it in full"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(wanted.WantedProblem, match=said):
        wanted.check(arguments(**given))


def test_rke2_has_a_list_for_each_wanted_architecture() -> None:
    urls = wanted.urls_of(arguments(releases=["v1.34.3+rke2r1"], platforms=["linux/arm64/v8"]))
    assert [url.rpartition("/")[2] for url in urls] == ["rke2-images.linux-arm64.txt"]


def test_a_list_that_cannot_be_read_is_named() -> None:
    def gone(path: str) -> bytes:
        raise ValueError("not found")

    with pytest.raises(ListProblem, match="image_files: k3s-images.txt cannot be read on the controller"):
        wanted.wanted(arguments(image_files=["k3s-images.txt"]), normalise({}), Answer(), gone)


def test_each_side_has_the_access_of_its_own_host() -> None:
    pair = base64.b64encode(b"u:p:w").decode()
    accesses = Accesses(
        {"configs": {
            "r:5000": {"auth": {"username": "u", "password": "p"}, "tls": {"ca_content": "PEM", "cert_src": "c.crt"}},
            "docker.io": {"auth": {"auth": pair}},
            "t": {"auth": {"identity_token": "tok"}, "tls": {"insecure_skip_verify": True, "ca_file": "/ca"}},
        }},
        lambda path: b"file " + path.encode(),
    )  # fmt: skip
    assert accesses.of("r:5000", "https") == Access("r:5000", username="u", password="p", ca="PEM", cert="file c.crt")
    assert accesses.of("registry-1.docker.io", "https").password == "p:w"
    assert accesses.of("t", "https") == Access("t", identity_token="tok", insecure=True, ca_file="/ca")
    assert accesses.of("r", "http") == Access("r", "http")


def test_credentials_that_are_none_are_refused_without_showing_them() -> None:
    accesses = Accesses({"configs": {"r": {"auth": {"auth": "hunter2!"}}}}, lambda path: b"")
    with pytest.raises(AccessProblem) as caught:
        accesses.of("r", "https")
    assert "hunter2" not in str(caught.value)


def test_lines_are_as_people_read_them() -> None:
    image = "docker.io/rancher/mirrored-pause:3.6"
    copied = Item(image, Source("registry"), action="copied", bytes=4_100_000, seconds=0.81)
    assert progress.progress_line(12, 48, copied) == "[12/48] rancher/mirrored-pause:3.6 copied 4.1 MB in 0.8 s"
    failed = Item("quay.io/a/b:1", Source("registry"), action="failed", message="r: it is full")
    assert progress.progress_line(3, 48, failed) == "[ 3/48] quay.io/a/b:1 FAILED: r: it is full"
    counts = progress.totals([copied, failed, Item("x", Source("registry"), action="none")], 61.04)
    assert progress.totals_line(counts) == "3 images: 1 copied (4.1 MB in 61.0 s), 1 unchanged, 1 failed"
    assert progress.failure_text([copied, failed]) == "1 image could not be mirrored:\nquay.io/a/b:1: r: it is full"


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12e12, "12000.0 GB")])
def test_sizes(count: float, text: str) -> None:
    assert progress.size_text(count) == text


def test_the_diff_shows_what_changes_and_nothing_else() -> None:
    plan = [
        Item(name, Source("registry"), Target(Place("https", "r", name, "1")), state, "", digest, target_digest=before)
        for name, state, digest, before in (
            ("a", "same", "1", "1"), ("b", "missing", "2", ""), ("c", "differs", "3", "4")
        )
    ]  # fmt: skip
    assert progress.diff(plan, overwrite=False)["after"] == "r/b:1 2\n"
    shown = progress.diff(plan, overwrite=True)
    assert (shown["before"], shown["after"]) == ("r/c:1 4\n", "r/b:1 2\nr/c:1 3\n")


SECRET = "hunter2-in-a-url"


@pytest.mark.parametrize(
    "name", ["release_url", "source_registries", "mapping", "endpoint", "system_default_registry", "images"]
)
@pytest.mark.parametrize(
    "value",
    ["user:{}@host/x", "https://user:{}@host/x", "https://user:a/{}@host", "https://{}@host", "https://host/x?token={}",
     "https://host/x#{}", "https://host/x;token={}", "user:{}@host/x@sha256:" + "a" * 64],
)  # fmt: skip
def test_credentials_in_an_address_are_refused_and_not_shown(name: str, value: str) -> None:
    text = value.format(SECRET)
    if name == "release_url" and not text.startswith("https:"):
        text = "https://" + text
    given: dict[str, Any] = {
        "source_registries": {"docker.io": text},
        "mapping": {"nginx:1": text},
        "images": ["busybox", text],
    }.get(name, text)  # type: ignore[assignment]
    config = {"mirrors": {"*": {"endpoint": ["https://r"]}}}
    with pytest.raises(wanted.WantedProblem, match=name) as caught:
        wanted.check(arguments(**{"images": ["nginx:1"], "config": config, name: given}))
    assert SECRET not in str(caught.value)
    assert ("image_files" if name == "release_url" else "source_configs") in str(caught.value)


@pytest.mark.parametrize("name", ["source_registries", "mapping"])
def test_a_key_is_an_address_too(name: str) -> None:
    with pytest.raises(wanted.WantedProblem, match=name):
        wanted.check(arguments(images=["nginx:1"], export_to="/x", **{name: {"u:%s@h/a:1" % SECRET: "h/a:1"}}))


def test_a_digest_is_no_login() -> None:
    digest = "@sha256:" + "a" * 64
    wanted.check(arguments(
        images=["nginx:1.29" + digest], export_to="/x", mapping={"nginx" + digest: "r:5000/nginx:1" + digest},
        source_registries={"docker.io": "https://cache:5000/hub/"}, release_url="https://files.example.com:8443/k3s",
    ))  # fmt: skip


@pytest.mark.parametrize("url", ["file:///etc/shadow", "ftp://h", "github.com", "https://", "https:///x"])
def test_lists_come_from_web_servers(url: str) -> None:
    with pytest.raises(wanted.WantedProblem, match="release_url has to begin with"):
        wanted.check(arguments(releases=["v1.34.3+k3s1"], export_to="/x", release_url=url))


def test_a_line_of_a_list_that_holds_a_login_is_refused_and_not_shown() -> None:
    with pytest.raises(ListProblem, match="from/a, line 2") as caught:
        wanted.wanted(
            arguments(image_files=["from/a"]), normalise({}), Answer(), lambda path: b"nginx:1\nu:hunter2@host/a:1\n"
        )
    assert "hunter2" not in str(caught.value)


def test_a_list_that_is_too_large_is_refused_and_not_cut() -> None:
    line = b"docker.io/library/nginx:1.29.1-alpine-slim-and-more\n"
    for count, refused in ((15_000, False), (21_000, True)):
        given = arguments(image_files=["long"]), normalise({"mirrors": {"*": {"endpoint": ["https://r"]}}}), Answer()
        content = line * count
        if refused:
            with pytest.raises(ListProblem, match="long is larger than 1 MiB"):
                wanted.wanted(*given, lambda path, content=content: content)  # type: ignore[misc]
        else:
            assert len(wanted.wanted(*given, lambda path, content=content: content)) == 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "endpoint", ["https://u:hunter2@r", "u:hunter2@r", "https://u:hunter2@r/x", "https://r/v2?t=hunter2"]
)
def test_a_login_in_an_endpoint_is_not_shown(endpoint: str) -> None:
    (item,) = items(arguments(images=["nginx:1"]), mirrors={"*": {"endpoint": [endpoint]}})
    assert "hunter2" not in json.dumps(encoded(item))


PINNED = "docker.io/a/b@sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "source", "said"),
    [
        (PINNED, Source("layout", path="/l", digest="sha256:" + "b" * 64), "/l has sha256:b"),
        (PINNED, Source("archive", path="/a", name="x", config="sha256:" + "a" * 64), "of one platform"),
        ("docker.io/a/b@sha512:" + "a" * 128, Source("layout", path="/l", digest="sha512:" + "a" * 128), "only SHA"),
        (PINNED, Source("layout", path="/l", digest="sha256:" + "a" * 64), ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("export", [None, "/srv/x.tar"])
def test_what_is_found_under_a_pinned_name_has_that_digest(
    image: str, source: Source, said: str, export: str | None
) -> None:
    (item,) = items(arguments(layouts=["/l"], export_to=export), Answer([Item(image, source)]))
    assert (item.state, item.cause) == (("failed", "digest_mismatch") if said else ("", ""))
    assert said in item.message


def test_a_pinned_image_whose_algorithm_is_not_checked_fails_before_anything_is_asked() -> None:
    (item,) = items(arguments(images=["a/b:1@sha512:" + "a" * 128]))
    assert (item.state, item.cause) == ("failed", "digest_mismatch")


def test_a_tag_beside_a_digest_changes_nothing() -> None:
    (item,) = items(arguments(images=["a/b:1@sha256:" + "a" * 64]))
    assert item.source.place is not None
    assert item.target.place is not None
    assert item.source.place.reference == item.target.place.reference == "sha256:" + "a" * 64


def test_no_registry_can_write_lines_of_its_own() -> None:
    """Nor can the machine that copies, in what ought to be names and digests."""
    evil = "x\r\n[2/2] rancher/pause:3 copied 1 B in 0.1 s\n\x1b[1A\x1b[2K\u202e"
    target = Target(Place("https", "r", "a" + evil, "1"))
    failed = Item("quay.io/a/b:1" + evil, Source("registry"), target, "missing", "failed", evil, message=evil)
    failed.target_digest = evil
    line = progress.progress_line(1, 2, failed)
    assert line.isprintable()
    assert line.startswith("[1/2] quay.io/a/b:1x")
    assert len(progress.failure_text([failed]).splitlines()) == 2
    shown = progress.diff([failed, dataclasses.replace(failed, state="differs")], overwrite=True)
    assert [len(shown[side].splitlines()) for side in ("before", "after")] == [1, 2]
    assert all(text.isprintable() for side in ("before", "after") for text in shown[side].split("\n"))


def test_what_the_task_returns_holds_what_is_known() -> None:
    target = Target(Place("https", "r:5000", "a/b", "1"))
    item = Item(
        "quay.io/a/b:1", Source("registry", Place("https", "quay.io", "a/b", "1")), target, "same", "none", "sha256:1"
    )
    assert progress.result_of(item) == {
        "image": "quay.io/a/b:1", "source": "quay.io/a/b:1", "target": "r:5000/a/b:1", "state": "same",
        "action": "none", "digest": "sha256:1",
    }  # fmt: skip


def test_a_smaller_index_is_warned_of_once_whatever_its_note_says() -> None:
    parts = [Item("quay.io/a/b:%d" % number, Source("registry"), note="words", is_part=True) for number in range(3)]
    other = Item("quay.io/a/b:4", Source("registry"), note="it names fewer platforms")
    said = progress.notes([*parts, other, other], ["linux/amd64"])
    assert said[0] == "it names fewer platforms"
    assert said[1].startswith("With platforms linux/amd64 the digest of the index changes for 3 image(s)")
    assert len(said) == 2
