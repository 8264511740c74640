# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release's images, from files and from where its lists are published."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.lists import ListProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import parse_release
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._upgrade import image_lists, target

K3S, RKE2 = parse_release("v1.35.2+k3s1"), parse_release("v1.35.2+rke2r1")


class Releases:
    """Answers with a list, and notes what it was asked for."""

    def __init__(self, failure: RegistryFailure | None = None) -> None:
        self.asked: list[str] = []
        self._failure = failure

    def get(self, url: str, _timeout: float) -> str:
        self.asked.append(url)
        if self._failure is not None:
            raise self._failure
        return "docker.io/rancher/%s:1\n" % url.rpartition("/")[2].lower()


def test_files_are_read_for_every_architecture() -> None:
    contents = {"a": b"docker.io/rancher/a:1\n# no image\n", "b": b"quay.io/b:1\n"}
    assert image_lists.of_files(["a", "b"], contents.__getitem__) == {"": ["docker.io/rancher/a:1", "quay.io/b:1"]}


def test_a_file_that_is_not_there_is_named_with_the_variable() -> None:
    def gone(path: str) -> bytes:
        raise ValueError("there is no such file")

    with pytest.raises(ListProblem, match="k3s_registries_target_image_files: a cannot be read"):
        image_lists.of_files(["a"], gone)


def test_k3s_has_one_list_and_rke2_one_for_each_architecture() -> None:
    releases = Releases()
    found = image_lists.of_release(K3S, "https://files.test", 5, "", releases.get)
    assert found == {"": ["docker.io/rancher/k3s-images.txt:1"]}
    found = image_lists.of_release(RKE2, "https://files.test", 5, "", releases.get)
    assert {name: images[0].rpartition("linux-")[2] for name, images in found.items()} == {
        "amd64": "amd64.txt:1", "arm64": "arm64.txt:1"
    }  # fmt: skip
    assert releases.asked[0] == "https://files.test/k3s-io/k3s/releases/download/v1.35.2%2Bk3s1/k3s-images.txt"


def test_a_list_is_fetched_once_for_all_hosts_even_if_it_cannot_be_had(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("there", "gone")]
    for folder in folders:
        folder.mkdir()
    there, gone = Releases(), Releases(RegistryFailure("timeout", "files.test"))
    for _host in range(3):
        image_lists.of_release(K3S, "https://files.test", 5, str(folders[0]), there.get)
        with pytest.raises(
            ListProblem, match=r"cannot be had: .*Without internet, .* k3s_registries_target_image_files"
        ):
            image_lists.of_release(K3S, "https://files.test", 5, str(folders[1]), gone.get)
    assert len(there.asked) == len(gone.asked) == 1


def test_a_release_that_does_not_exist_is_asked_about() -> None:
    gone = Releases(RegistryFailure("not_found", "files.test"))
    with pytest.raises(ListProblem, match="Is there such a release"):
        image_lists.of_release(K3S, "https://files.test", 5, "", gone.get)


@pytest.mark.parametrize("url", ["https://user:hunter2@files.test", "https://files.test/?token=hunter2"])
def test_credentials_in_the_url_are_refused_and_not_shown(url: str) -> None:
    releases = Releases()
    with pytest.raises(ListProblem) as caught:
        image_lists.of_release(K3S, url, 5, "", releases.get)
    assert "hunter2" not in str(caught.value)
    assert releases.asked == []


@pytest.mark.parametrize("text", ["", "  ", "latest", "v1.35.2", "1.35.2-k3s", "v1.35.2+k8s1"])
def test_what_is_no_target_says_how_to_write_one(text: str) -> None:
    with pytest.raises(target.NoTarget, match=r"k3s_registries_target_release.*v1\.35\.2\+k3s1 or v1\.35\.2\+rke2r1"):
        target.read(text)


@pytest.mark.parametrize("text", ["v1.35.2+k3s1", "1.35.2-k3s1", " v1.36.0-rc2+rke2r1 "])
def test_a_target_says_whose_release_it_is(text: str) -> None:
    assert target.read(text) == parse_release(text)
