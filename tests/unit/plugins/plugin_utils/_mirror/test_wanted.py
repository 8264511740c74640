# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.arguments import MIRROR_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.lists import ListProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._mirror import progress, wanted
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._mirror.accesses import Accesses, AccessProblem


def arguments(**given: Any) -> dict[str, Any]:
    return {**{name: spec.get("default") for name, spec in MIRROR_ARGUMENTS.items()}, **given}


def items(given: dict[str, Any], gathered: dict[str, Any] | None = None, **mirrors: Any) -> list[dict[str, Any]]:
    config = normalise({"mirrors": mirrors.get("mirrors", {"*": {"endpoint": ["https://r"]}})})
    return wanted.wanted(given, config, gathered or {}, lambda path: b"docker.io/from/%s:1\n" % path.encode())


def test_images_of_all_sources_are_one_list() -> None:
    source = {"kind": "archive", "path": "/x.tar", "name": "a", "config": "sha256:1"}
    found = items(
        arguments(images=["nginx:1"], image_files=["a", "b"], releases=["v1.34.3+k3s1"]),
        {"texts": ["docker.io/from/a:1\nquay.io/q/q:1\n"], "images": [{"image": "docker.io/t/t:1", "source": source}]},
    )
    assert [item["image"] for item in found] == [
        "docker.io/t/t:1", "docker.io/library/nginx:1", "docker.io/from/a:1", "docker.io/from/b:1", "quay.io/q/q:1"
    ]  # fmt: skip
    assert wanted.hosts_of(found) == {"src:registry-1.docker.io": "https", "src:quay.io": "https", "dest:r": "https"}


def test_an_image_without_a_place_fails_alone() -> None:
    found = items(arguments(images=["nginx:1", "quay.io/a/b:1"]), mirrors={"quay.io": {"endpoint": ["https://r"]}})
    assert [item.get("state") for item in found] == ["failed", None]
    assert "add mirrors.docker.io" in found[0]["message"]


def test_two_images_in_one_place_are_refused() -> None:
    mirrors = {"*": {"endpoint": ["https://r"], "rewrite": {"^.*$": "all"}}}
    found = items(arguments(images=["nginx:1", "quay.io/a/b:1", "quay.io/a/b:2"]), mirrors=mirrors)
    assert [item.get("state") for item in found] == [None, "failed", None]
    assert "same place as docker.io/library/nginx:1" in found[1]["message"]


def test_an_export_needs_no_mirror() -> None:
    (item,) = items(arguments(images=["nginx:1"], export_to="/srv/x.tar"), mirrors={})
    assert item["target"] == {"layout": "/srv/x.tar.partial"}
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
        wanted.wanted(arguments(image_files=["k3s-images.txt"]), normalise({}), {}, gone)


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
    assert accesses.of("r:5000", "https") == {
        "scheme": "https", "username": "u", "password": "p", "ca": "PEM", "cert": "file c.crt", "insecure": False
    }  # fmt: skip
    assert accesses.of("registry-1.docker.io", "https")["password"] == "p:w"
    assert accesses.of("t", "https") == {"scheme": "https", "identity_token": "tok", "insecure": True, "ca_file": "/ca"}
    assert accesses.of("r", "http") == {"scheme": "http"}


def test_credentials_that_are_none_are_refused_without_showing_them() -> None:
    accesses = Accesses({"configs": {"r": {"auth": {"auth": "hunter2!"}}}}, lambda path: b"")
    with pytest.raises(AccessProblem) as caught:
        accesses.of("r", "https")
    assert "hunter2" not in str(caught.value)


def test_lines_are_as_people_read_them() -> None:
    copied = {"image": "docker.io/rancher/mirrored-pause:3.6", "action": "copied", "bytes": 4_100_000, "seconds": 0.81}
    assert progress.progress_line(12, 48, copied) == "[12/48] rancher/mirrored-pause:3.6 copied 4.1 MB in 0.8 s"
    failed = {"image": "quay.io/a/b:1", "action": "failed", "message": "r: it is full"}
    assert progress.progress_line(3, 48, failed) == "[ 3/48] quay.io/a/b:1 FAILED: r: it is full"
    counts = progress.totals([copied, failed, {"action": "none"}], 61.04)
    assert progress.totals_line(counts) == "3 images: 1 copied (4.1 MB in 61.0 s), 1 unchanged, 1 failed"
    assert progress.failure_text([copied, failed]) == "1 image could not be mirrored:\nquay.io/a/b:1: r: it is full"


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12e12, "12000.0 GB")])
def test_sizes(count: float, text: str) -> None:
    assert progress.size_text(count) == text


def test_the_diff_shows_what_changes_and_nothing_else() -> None:
    plan = [
        {"state": "same", "target": "r/a:1", "digest": "1", "target_digest": "1"},
        {"state": "missing", "target": "r/b:1", "digest": "2"},
        {"state": "differs", "target": "r/c:1", "digest": "3", "target_digest": "4"},
    ]
    assert progress.diff(plan, overwrite=False)["after"] == "r/b:1 2\n"
    shown = progress.diff(plan, overwrite=True)
    assert (shown["before"], shown["after"]) == ("r/c:1 4\n", "r/b:1 2\nr/c:1 3\n")
