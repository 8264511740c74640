# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1", "docker.io/library/nginx:1"),
        ("a/b", "docker.io/a/b:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/a/b:1", "docker.io/a/b:1"),
        ("registry-1.docker.io/library/x", "registry-1.docker.io/library/x:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("[::1]:5000/x:t", "[::1]:5000/x:t"),
        ("REG/x", "REG/x:latest"),
        ("a@" + DIGEST, "docker.io/library/a@" + DIGEST),
        ("quay.io/a:1@" + DIGEST, "quay.io/a@" + DIGEST),
        ("quay.io/a__b/c---d:T_.-", "quay.io/a__b/c---d:T_.-"),
    ],
)
def test_names_are_completed_as_containerd_does(name: str, full: str) -> None:
    assert parse_image(name).text == full


@pytest.mark.parametrize(
    "name",
    ["", "Nginx", "quay.io/A", "a:", "a/", "/a", "a//b", "a___b", "a..b", "a-.b", "é", "0" * 64, "a:b:c", "a:t\n",
     "x:" + "t" * 129, "a/" + "b" * 260, "a@sha256:" + "A" * 64, "a@md5:" + "0" * 32, "[1::2::3]:5/x", "h_x.y/z"],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ImageError, match="is no image name"):
        parse_image(name)


def test_a_digest_makes_the_tag_void() -> None:
    image = parse_image("quay.io/a:1@" + DIGEST)
    assert (image.tag, image.digest, image.reference) == ("", DIGEST, DIGEST)
