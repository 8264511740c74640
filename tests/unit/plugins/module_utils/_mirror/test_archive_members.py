# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of a layout's tarball that are made to reach something else than the folder that it is unpacked into."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.archive import ArchiveProblem, unpack

CONTENT = b"planted"


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", **more: str) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode, found.pax_headers = kind, link, 0o7777, more
    found.size = len(CONTENT) if kind in (tarfile.REGTYPE, tarfile.CONTTYPE) else 0
    return found


def packed(folder: Path, *members: tarfile.TarInfo) -> str:
    path = folder / "layout.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for item in members:
            archive.addfile(item, io.BytesIO(CONTENT) if item.size else None)
    return str(path)


CASES = {
    "link, then through it": [member("a", tarfile.SYMTYPE, "/"), member("a/planted")],
    "link to a file, then over it": [member("a", tarfile.SYMTYPE, "../victim"), member("a")],
    "hard link, then over it": [member("a", tarfile.LNKTYPE, "../victim"), member("a")],
    "hard link to itself": [member("a", tarfile.LNKTYPE, "a")],
    "device": [member("a", tarfile.CHRTYPE)],
    "block device": [member("a", tarfile.BLKTYPE)],
    "pipe": [member("a", tarfile.FIFOTYPE)],
    "parent": [member("../victim")],
    "parent within": [member("a/../../victim")],
    "absolute": [member("/tmp/victim-of-k3sfleet")],
    "two slashes": [member("//tmp/victim-of-k3sfleet")],
    "another name in its own header": [member("a", path="../victim")],
    "another link in its own header": [member("a", tarfile.SYMTYPE, "b", linkpath="/"), member("a/planted")],
    "parent as a folder": [member("..", tarfile.DIRTYPE), member("../victim")],
    "file, then a folder there": [member("a"), member("a/b")],
    "folder, then a file there": [member("a/b"), member("a")],
    "the folder itself": [member(".")],
    "no name": [member("")],
    "long name": [member("x" * 5000)],
    "many folders": [member("a/" * 2500 + "b")],
}


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_reached_but_the_folder(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    before = victim.stat()
    tar = packed(tmp_path, *CASES[name])
    with pytest.raises(ArchiveProblem) as problem:
        unpack(tar, str(tmp_path / "folder"), "layout.tar")
    assert victim.read_bytes() == b"mine"
    assert victim.stat().st_nlink == before.st_nlink
    assert sorted(os.listdir(tmp_path)) == ["folder", "layout.tar", "victim"]
    assert not os.path.lexists("/planted")
    assert not os.path.lexists("/tmp/victim-of-k3sfleet")
    assert len(str(problem.value)) < 1000


def test_modes_and_owners_are_not_the_tarball_s(tmp_path: Path) -> None:
    """And what is there twice is what came last, in a file of its own."""
    first = member("blobs/sha256/a")
    first.uid = first.gid = 4711
    unpack(packed(tmp_path, first, member("blobs/sha256/a")), str(tmp_path / "folder"), "layout.tar")
    found = (tmp_path / "folder/blobs/sha256/a").stat()
    assert (found.st_uid, found.st_mode & 0o7111) == (os.getuid(), 0)
    assert (tmp_path / "folder").stat().st_mode & 0o077 == 0
