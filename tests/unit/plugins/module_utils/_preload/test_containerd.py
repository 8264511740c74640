# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ctr prints, read; and waiting for K3s."""

from __future__ import annotations

from typing import Any, Sequence

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload import containerd, importing

from .conftest import described

DIGEST = "sha256:" + "a" * 64
PINS = "io.cattle.k3s.pinned=pinned,io.cri-containerd.image=managed,io.cri-containerd.pinned=pinned"
# As containerd 1.6 and 2.1 print it.
IMAGES = """\
REF                            TYPE                                       DIGEST%(gap)s SIZE      PLATFORMS               LABELS
docker.io/rancher/one:1        application/vnd.oci.image.index.v1+json    %(digest)s 294.4 KiB linux/amd64,linux/arm64 %(pins)s
docker.io/rancher/unpinned:1   application/vnd.oci.image.index.v1+json    %(digest)s 294.4 KiB linux/amd64,linux/arm64 io.cri-containerd.image=managed
docker.io/rancher/half:1       application/vnd.oci.image.index.v1+json    %(digest)s 294.4 KiB linux/amd64,linux/arm64 io.cri-containerd.pinned=pinned
sha256:%(id)s                  application/vnd.oci.image.index.v1+json    %(digest)s 294.4 KiB -                       -
""" % {"gap": " " * 66, "digest": DIGEST, "pins": PINS, "id": "b" * 64}  # noqa: E501
CONTAINERS = """\
CONTAINER    IMAGE                      RUNTIME
0a1b         sha256:%s                  io.containerd.runc.v2
0a1c         -                          io.containerd.runc.v2
0a1d         docker.io/rancher/gone:1   io.containerd.runc.v2
""" % ("b" * 64)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []

    def run(command: Sequence[str], *_rest: Any, **_more: Any) -> Outcome:
        commands.append(list(command))
        if "rm" in command:
            return Outcome(1, "", 'time="..." level=error\nctr: image "x": not found\n')
        return Outcome(0, CONTAINERS if "containers" in command else IMAGES, "")

    monkeypatch.setattr(containerd, "run", run)
    return commands


def test_an_image_is_pinned_if_k3s_and_the_kubelet_know_it(asked: list[list[str]]) -> None:
    found = containerd.images(node_paths())
    assert {name: image.pinned for name, image in found.items()} == {
        "docker.io/rancher/one:1": True, "docker.io/rancher/unpinned:1": False, "docker.io/rancher/half:1": False,
        "sha256:" + "b" * 64: False,
    }  # fmt: skip
    assert {image.digest for image in found.values()} == {DIGEST}
    assert asked[0][1:6] == ["ctr", "--address", "/run/k3s/containerd/containerd.sock", "--namespace", "k8s.io"]


def test_rke2_has_a_label_of_its_own(asked: list[list[str]]) -> None:
    assert not containerd.images(node_paths("rke2"))["docker.io/rancher/one:1"].pinned
    assert asked[0][0] == "/var/lib/rancher/rke2/bin/ctr"


def test_a_container_names_its_image_by_any_name(asked: list[list[str]]) -> None:
    paths = node_paths()
    assert containerd.used(paths, containerd.images(paths)) == {DIGEST}


def test_an_import_by_hand_pins_every_image(asked: list[list[str]]) -> None:
    containerd.bring_in(node_paths(), "/x/k3sfleet-a.tar", ["docker.io/rancher/one:1"], 5.0)
    assert [command[6:] for command in asked] == [
        ["images", "import", "--all-platforms", "/x/k3sfleet-a.tar"],
        [
            "images",
            "label",
            "docker.io/rancher/one:1",
            "io.cattle.k3s.pinned=pinned",
            "io.cri-containerd.pinned=pinned",
        ],
    ]


def test_what_ctr_says_last_is_the_reason(asked: list[list[str]]) -> None:
    with pytest.raises(containerd.ContainerdProblem, match='ctr images rm: ctr: image "x": not found'):
        containerd.forget(node_paths(), ["x"])


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("v1.32.0+k3s1", True), ("v1.31.5+k3s1", True), ("v1.31.4+k3s1", False), ("v1.30.9+rke2r1", True),
        ("v1.29.12+k3s1", False), ("v1.28.15+k3s1", False), ("v1.34.3+k3s-80b11e87", True), ("", True),
    ],
)  # fmt: skip
def test_which_releases_watch(release: str, expected: bool) -> None:
    assert importing.watches(release) is expected


def test_waiting_ends_when_the_last_image_is_pinned_or_the_time_is_over() -> None:
    one, two = described(b"one", "one"), described(b"two", "two")
    clock = [0.0]

    def known() -> dict[str, containerd.Image]:
        names = ["docker.io/rancher/one:1"] + ["docker.io/rancher/two:1"] * (clock[0] >= 3)
        return {name: containerd.Image(name, DIGEST, True) for name in names}

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    assert importing.wait([one, two], known, 1.5, lambda: clock[0], sleep) == [two]
    assert clock[0] == 1.5
    assert importing.wait([one, two], known, 60, lambda: clock[0], sleep) == []
    assert clock[0] == 3.5
    assert importing.wait([], lambda: pytest.fail("containerd was asked for nothing"), 60) == []
