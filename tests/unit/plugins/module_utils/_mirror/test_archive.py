# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tarballs that are made to fill a machine, its memory or its time, and folders in which others have put something."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror import archive, layout
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.layout import Layout, LayoutProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.work import MirrorProblem, answer

CONFIG = "a" * 64 + ".json"


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> str:
    with tarfile.open(path, "w") as made:
        for member, content in members:
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return str(path)


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def sparse(path: Path) -> str:
    """A file of 64 GiB of which nothing is in the tarball, as GNU tar packs it."""
    (path / "hole").touch()
    os.truncate(path / "hole", 64 << 30)
    subprocess.run(["tar", "--sparse", "--format=gnu", "-C", str(path), "-cf", str(path / "s.tar"), "hole"], check=True)
    assert os.path.getsize(path / "s.tar") < 1 << 20
    return str(path / "s.tar")


@pytest.mark.parametrize("kind", ["gnu", "pax"])
def test_a_sparse_file_is_refused_and_nothing_of_it_written(tmp_path: Path, kind: str) -> None:
    path = sparse(tmp_path)
    if kind == "pax":
        headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(64 << 30),
                   "GNU.sparse.map": "0,0", "GNU.sparse.numblocks": "1"}  # fmt: skip
        with tarfile.open(tmp_path / "p.tar", "w", format=tarfile.PAX_FORMAT) as made:
            made.addfile(member("hole", pax_headers=headers), io.BytesIO(b""))
        path = str(tmp_path / "p.tar")
    for read in (lambda: archive.unpack(path, str(tmp_path / "out"), path), lambda: archive.saved_images(path, path)):
        with pytest.raises(archive.ArchiveProblem, match="sparse file"):
            read()
    assert not (tmp_path / "out" / "hole").exists()


@pytest.mark.parametrize("packer", ["gz", "zst"])
def test_what_unpacks_to_much_more_than_any_image_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packer: str
) -> None:
    monkeypatch.setattr(archive, "_ALWAYS_ALLOWED", 1 << 20)
    path = tmp_path / ("bomb.tar." + packer)
    if packer == "gz":
        path.write_bytes(gzip.compress(bytes(64 << 20)))
    else:
        (tmp_path / "bomb.tar").write_bytes(bytes(64 << 20))
        subprocess.run(["zstd", "-q", str(tmp_path / "bomb.tar"), "-o", str(path)], check=True)
    work = archive.Workspace("a", str(tmp_path))
    with pytest.raises(archive.ArchiveProblem, match="20 times its size"):
        archive.plain_tar(str(path), work)
    assert os.listdir(work.path) == []


def test_headers_that_are_most_of_a_tarball_take_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "h.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as made:
        made.addfile(member("a", pax_headers={"comment": "x" * (40 << 20)}))
    tracemalloc.start(1)
    try:
        with pytest.raises(archive.ArchiveProblem, match="one of its headers is larger than 16 MiB"):
            archive.saved_images(str(path), "h.tar")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MOST_FILES", 50)
    path = tar(tmp_path / "m.tar", *((member("blobs/%d" % number), b"") for number in range(60)))
    with pytest.raises(archive.ArchiveProblem, match="more than 50 files"):
        archive.unpack(path, str(tmp_path / "out"), "m.tar")
    assert len(os.listdir(tmp_path / "out" / "blobs")) == 50


def test_headers_that_announce_headers_without_end(tmp_path: Path) -> None:
    """GNU's long names, one for the next."""
    block = member("././@LongLink", type=tarfile.GNUTYPE_LONGNAME, size=2).tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "r.tar").write_bytes((block + b"x\0".ljust(512, b"\0")) * 5000)
    with pytest.raises(archive.ArchiveProblem):
        archive.saved_images(str(tmp_path / "r.tar"), "r.tar")


@pytest.mark.parametrize("where", ["unpack", "saved"])
def test_a_pipe_in_a_tarballs_place_does_not_hold_the_run(tmp_path: Path, where: str) -> None:
    os.mkfifo(tmp_path / "p.tar")
    with pytest.raises(archive.ArchiveProblem, match="it is no file"):
        archive.plain_tar(str(tmp_path / "p.tar"), archive.Workspace(where, str(tmp_path)))


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'[{"Config":7}]',
        b'[{"Config":"x","RepoTags":["a:1"]}]',
        b'{"a":1}',
        b"[1]",
        b"null",
        b"9" * 9000,
    ],
)
def test_a_list_of_images_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tar(tmp_path / "l.tar", (member("manifest.json"), content))
    with pytest.raises(archive.ArchiveProblem, match="l.tar"):
        archive.saved_images(path, "l.tar")


def test_a_good_one_is_read(tmp_path: Path) -> None:
    listed = json.dumps([{"Config": CONFIG, "RepoTags": ["nginx:1"]}]).encode()
    path = tar(tmp_path / "g.tar", (member("manifest.json"), listed))
    assert archive.saved_images(path, "g.tar") == [
        archive.Saved("docker.io/library/nginx:1", "nginx:1", "sha256:" + "a" * 64)
    ]


@pytest.mark.parametrize("name", ["images.tar", "images.tar.new"])
def test_an_export_goes_through_no_link_that_somebody_has_put_into_its_folder(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("of somebody")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / name).symlink_to(victim)
    made = Layout(str(shared / "images.tar.partial"), create=True)
    made.put(b"{}")
    archive.pack(made.root, str(shared / "images.tar"))
    assert victim.read_text() == "of somebody"
    assert not (shared / "images.tar").is_symlink()


@pytest.mark.parametrize("name", ["index.json.new", "index.json", "k3sfleet-mirror.json.new", "oci-layout.new"])
def test_no_file_of_a_layout_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text('{"manifests": []}')
    root = tmp_path / "layout"
    root.mkdir()
    (root / name).symlink_to(victim)
    made = Layout(str(root), create=True)
    made.name("docker.io/a/b:1", made.put(b"{}"), "x")
    made.write_manifest()
    assert victim.read_text() == '{"manifests": []}'


def _link(path: Path, elsewhere: Path) -> None:
    elsewhere.mkdir()
    path.symlink_to(elsewhere)


@pytest.mark.parametrize(
    "planted",
    [lambda path: _link(path, path.with_name("elsewhere")), lambda path: (path.mkdir(), path.chmod(0o777)),
     lambda path: path.write_text("a file")],
)  # fmt: skip
def test_an_export_does_not_go_on_from_what_another_user_has_put_there(tmp_path: Path, planted: Any) -> None:
    folder = tmp_path / "images"
    planted(folder)
    for operation in ("plan", "copy", "finish"):
        request = {"operation": operation, "token": "t", "items": [], "export": str(folder)}
        with pytest.raises(MirrorProblem, match="is there already and is a link, belongs to another user"):
            answer(request)


def test_a_folder_or_tarball_of_another_user_is_no_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images.tar").touch()
    layout.check_export(str(tmp_path / "images"), str(tmp_path / "images.tar"))
    real = os.lstat

    def of_another(path: str) -> os.stat_result:
        found = list(real(path))
        found[4] = os.getuid() + 7
        return os.stat_result(found)

    monkeypatch.setattr(layout.os, "lstat", of_another)
    for given in ((str(tmp_path / "images"), ""), ("", str(tmp_path / "images.tar"))):
        with pytest.raises(LayoutProblem, match="belongs to another user"):
            layout.check_export(*given)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"manifests": {}}', b'{"manifests": 1}', b"[]", b"\xff"])
def test_an_index_that_is_none_is_said_to_be(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index.json").write_bytes(content)
    with pytest.raises(LayoutProblem, match="cannot read its index.json"):
        Layout(str(tmp_path))


def test_an_index_that_never_ends_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "index.json").symlink_to("/dev/zero")
    with pytest.raises(LayoutProblem, match="it is no file"):
        Layout(str(tmp_path))
    (tmp_path / "index.json").unlink()
    with open(tmp_path / "index.json", "wb") as large:
        large.truncate(5 << 30)
    with pytest.raises(LayoutProblem, match="larger than 16 MiB"):
        Layout(str(tmp_path))


def test_nothing_is_written_where_the_folder_is_a_link(tmp_path: Path) -> None:
    _link(tmp_path / "images", tmp_path / "elsewhere")
    with pytest.raises(LayoutProblem, match="is there already and is a link"):
        Layout(str(tmp_path / "images"), create=True)
    assert os.listdir(tmp_path / "elsewhere") == []
