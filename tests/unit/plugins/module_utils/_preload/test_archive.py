# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is told of an archive is checked before a path is made of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.archive import (
    ArchiveProblem,
    archive_of,
    archives_of,
    extension_of,
    file_name,
)

from .conftest import described

GOOD = described(b"some content").as_dict(blocks=True)


def test_it_comes_as_it_was_sent() -> None:
    assert archive_of(GOOD) == described(b"some content")
    assert archives_of([GOOD, GOOD]) == [described(b"some content")]
    assert described(b"some content").as_dict()["blocks"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../../etc/cron.d/k3sfleet-a.tar"},
        {"file": "k3sfleet-../x.tar"},
        {"file": "k3s-airgap-images-amd64.tar"},
        {"file": "k3sfleet-a.txt"},
        {"file": "k3sfleet-a.tar\n"},
        {"file": "k3sfleet-.tar"},
        {"sha256": "../x"},
        {"sha256": "A" * 64},
        {"size": 0},
        {"size": "many"},
        {"blocks": ["x"]},
        {"blocks": GOOD["blocks"][:1]},
        {"images": None},
    ],
)
def test_what_would_lead_elsewhere_or_cannot_be_checked_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ArchiveProblem):
        archive_of({**GOOD, **change})


@pytest.mark.parametrize(
    ("stem", "extension", "expected"),
    [
        ("docker.io/library/nginx:1.29", ".tar.gz", "k3sfleet-docker.io-library-nginx-1.29.0123456789ab.tar.gz"),
        ("../..", ".tar", "k3sfleet-images.0123456789ab.tar"),
        ("x" * 300, ".tar.zst", "k3sfleet-" + "x" * 100 + ".0123456789ab.tar.zst"),
    ],
)
def test_a_name_says_what_it_is_and_which(stem: str, extension: str, expected: str) -> None:
    name = file_name(stem, "0123456789ab" + "f" * 52, extension)
    assert name == expected
    assert archive_of({**GOOD, "file": name}).file == name


def test_k3s_reads_these_and_no_others() -> None:
    assert [extension_of(name) for name in ("a.tar", "a.tar.zst", "a.TGZ", "a.tar.xz", "a.txt", "tar")] == [
        ".tar", ".tar.zst", ".tgz", "", "", "",
    ]  # fmt: skip
