# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.lists import (
    ListProblem,
    read_list,
    release_lists,
    unique,
)

K3S = """\
docker.io/rancher/klipper-helm:v0.9.10-build20251111

# a remark
docker.io/rancher/mirrored-pause:3.6   # the first to fail
busybox
"""


def test_a_list_is_one_image_a_line() -> None:
    assert read_list(K3S, "k3s-images.txt") == [
        "docker.io/rancher/klipper-helm:v0.9.10-build20251111", "docker.io/rancher/mirrored-pause:3.6", "busybox"
    ]  # fmt: skip


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm() -> None:
    assert read_list("\ufeffbusybox\r\nnginx:1\r\n", "list") == ["busybox", "nginx:1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("<!DOCTYPE html>\n<p>Sign in", "proxy.txt, line 1"), ("\n# nothing\n", "no image in it"), ("a:b:c", "line 1")],
)
def test_what_is_no_list_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ListProblem, match=said):
        read_list(text, "proxy.txt")


@pytest.mark.parametrize("version", ["v1.34.3+k3s1", "1.34.3+k3s1", "v1.34.3-k3s1"])
def test_a_k3s_release_has_one_list_for_all_architectures(version: str) -> None:
    assert release_lists(version, architectures=("amd64", "arm64")) == [
        "https://github.com/k3s-io/k3s/releases/download/v1.34.3%2Bk3s1/k3s-images.txt"
    ]


def test_an_rke2_release_has_one_list_for_each() -> None:
    assert release_lists("v1.34.3-rc1+rke2r2", "https://files.example.com/", ("amd64", "arm64")) == [
        "https://files.example.com/rancher/rke2/releases/download/v1.34.3-rc1%2Brke2r2/rke2-images.linux-" + name
        for name in ("amd64.txt", "arm64.txt")
    ]


@pytest.mark.parametrize("version", ["1.34", "latest", "v1.34.3", "v1.34.3+k3s1/../../x"])
def test_what_is_no_release_is_refused(version: str) -> None:
    with pytest.raises(ListProblem, match="names no release"):
        release_lists(version)


def test_an_image_named_twice_is_wanted_once() -> None:
    names = ["nginx", "docker.io/library/nginx:latest", "index.docker.io/library/nginx", "quay.io/a/b:1"]
    assert [image.text for image in unique(names)] == ["docker.io/library/nginx:latest", "quay.io/a/b:1"]
