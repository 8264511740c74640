# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror import archive
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.layout import (
    IMAGE_NAME,
    Layout,
    LayoutProblem,
)

INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
NAME = "docker.io/team/app:1"


def put(layout: Layout, content: bytes) -> dict[str, Any]:
    layout.put(content)
    return {"digest": "sha256:" + hashlib.sha256(content).hexdigest(), "size": len(content), "mediaType": MANIFEST}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A layout with one image of Docker's media types, as most on Docker Hub are."""
    made = Layout(str(tmp_path / "layout"), create=True)
    config, layer = put(made, b"{}"), put(made, b"layer")
    manifest = put(made, json.dumps({"mediaType": MANIFEST, "config": config, "layers": [layer]}).encode())
    index = put(made, json.dumps({"mediaType": INDEX, "manifests": [manifest]}).encode())
    made.name(NAME, index["digest"], INDEX)
    made.write_manifest()
    return made


def test_a_layout_is_found_again_with_its_digests_and_media_types(layout: Layout) -> None:
    again = Layout(layout.root)
    assert list(again.images) == [NAME]
    assert again.images[NAME]["mediaType"] == INDEX
    assert again.read_manifest() == {NAME: layout.images[NAME]["digest"]}
    assert again.has(NAME, layout.images[NAME]["digest"])


def test_what_skopeo_has_unpacked_is_taken_in_with_its_digests(layout: Layout, tmp_path: Path) -> None:
    folder = tmp_path / "dir"
    folder.mkdir()
    (manifest,) = [part for part in layout.parts(layout.images[NAME]["digest"], INDEX).values() if part.size > 20]
    (folder / "manifest.json").write_bytes(layout.content(manifest.digest))
    for part in layout.parts(manifest.digest, MANIFEST):
        shutil.copy(layout.blob(part), folder / part.partition(":")[2])
    other = Layout(str(tmp_path / "other"), create=True)
    assert other.absorb(str(folder)) == (manifest.digest, MANIFEST)
    assert other.check_image(manifest.digest, MANIFEST) == len(b"{}layer")
    (folder / hashlib.sha256(b"layer").hexdigest()).write_bytes(b"other")
    with pytest.raises(RegistryFailure, match="another content"):
        Layout(str(tmp_path / "third"), create=True).absorb(str(folder))


@pytest.mark.parametrize("content", [b"LAYER", b"longer than before"])
def test_a_damaged_blob_is_found_and_named(layout: Layout, content: bytes) -> None:
    path = Path(layout.blob("sha256:" + hashlib.sha256(b"layer").hexdigest()))
    path.write_bytes(content)
    with pytest.raises(RegistryFailure, match=path.name) as caught:
        Layout(layout.root).check_image(layout.images[NAME]["digest"], INDEX)
    assert caught.value.cause == "digest_mismatch"


def test_a_lost_blob_is_no_image_that_is_there(layout: Layout) -> None:
    os.unlink(layout.blob("sha256:" + hashlib.sha256(b"layer").hexdigest()))
    assert not Layout(layout.root).has(NAME, layout.images[NAME]["digest"])
    with pytest.raises(RegistryFailure, match="cannot be read"):
        Layout(layout.root).check_image(layout.images[NAME]["digest"], INDEX)


def test_a_digest_never_leads_out_of_the_layout(layout: Layout) -> None:
    for digest in ("sha256:../../../etc/passwd", "sha512:" + "a" * 128, "x"):
        with pytest.raises(RegistryFailure):
            layout.blob(digest)


def test_no_layout_at_all_is_said_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(LayoutProblem, match=str(tmp_path)):
        Layout(str(tmp_path))


def test_a_packed_layout_unpacks_to_the_same(layout: Layout, tmp_path: Path) -> None:
    tar = str(tmp_path / "images.tar")
    archive.pack(layout.root, tar)
    with tarfile.open(tar) as packed:
        assert packed.getnames()[:3] == ["oci-layout", "index.json", "k3sfleet-mirror.json"]
        assert {member.uid for member in packed} == {0}
    work = archive.Workspace("a", str(tmp_path))
    again = Layout(archive.unpack_layout(tar, work, tar))
    assert again.check_image(layout.images[NAME]["digest"], INDEX)
    assert stat.S_IMODE(os.stat(work.path).st_mode) == 0o700
    work.remove()
    assert not os.path.exists(work.path)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil"])
def test_a_tarball_cannot_write_elsewhere(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as packed:
        packed.addfile(tarfile.TarInfo(name))
    with pytest.raises(archive.ArchiveProblem, match="which no OCI layout has"):
        archive.unpack(str(tmp_path / "bad.tar"), str(tmp_path / "out"), "bad.tar")


def nested(layout: Layout, levels: int) -> str:
    """Indexes that name an index three times each: 3 to the power of levels, for who counts them all."""
    item = put(layout, json.dumps({"mediaType": INDEX, "manifests": []}).encode())
    for _level in range(levels):
        item = put(layout, json.dumps({"mediaType": INDEX, "manifests": [{**item, "mediaType": INDEX}] * 3}).encode())
    return str(item["digest"])


def test_what_is_named_often_is_read_once(layout: Layout) -> None:
    assert len(layout.parts(nested(layout, 3), INDEX)) == 3


def test_indexes_are_followed_some_levels_and_no_further(layout: Layout) -> None:
    with pytest.raises(RegistryFailure, match="nested too deeply"):
        layout.check_image(nested(layout, 40), INDEX)


@pytest.mark.parametrize(
    "part",
    [{"digest": "sha512:" + "a" * 128, "size": 1}, {"digest": "sha256:../x", "size": 1}, {"size": 1}, 7, None,
     {"digest": "sha256:" + "a" * 64, "size": -1}, {"digest": "sha256:" + "a" * 64, "size": True}],
)  # fmt: skip
def test_a_part_that_cannot_be_checked_is_refused(layout: Layout, part: Any) -> None:
    index = put(layout, json.dumps({"mediaType": INDEX, "manifests": [part]}).encode())
    with pytest.raises(RegistryFailure):
        layout.check_image(index["digest"], INDEX)


def test_a_blob_is_read_no_further_than_it_should_be_long_and_only_if_it_is_a_file(layout: Layout) -> None:
    digest = "sha256:" + hashlib.sha256(b"layer").hexdigest()
    path = Path(layout.blob(digest))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RegistryFailure, match="it is no file"):
        Layout(layout.root).check(digest)
    path.unlink()
    with open(path, "wb") as large:
        large.truncate(5 << 30)
    with pytest.raises(RegistryFailure, match="instead of 5"):
        Layout(layout.root).check(digest, 5)
    with pytest.raises(RegistryFailure, match="larger than any manifest"):
        Layout(layout.root).content(digest)


def test_a_blob_that_is_exchanged_after_it_was_checked_is_not_copied(layout: Layout) -> None:
    """Its last piece never comes, so that no upload of it is complete."""
    digest = "sha256:" + hashlib.sha256(b"layer").hexdigest()
    again = Layout(layout.root)
    again.check(digest)
    Path(layout.blob(digest)).write_bytes(b"LAYER")
    got: list[bytes] = []
    with pytest.raises(RegistryFailure, match="another digest"):
        got.extend(again.pieces(digest, 5))
    assert got == []


def test_what_is_stored_under_a_digest_has_it(layout: Layout) -> None:
    digest = "sha256:" + hashlib.sha256(b"wanted").hexdigest()
    with pytest.raises(RegistryFailure, match="another content"):
        layout.add(digest, [b"other"])
    assert not os.path.exists(layout.blob(digest))
    assert os.listdir(os.path.join(layout.root, "staging")) == []


def test_an_index_whose_digests_cannot_be_checked_is_no_layout(layout: Layout) -> None:
    index = {"manifests": [{"digest": "sha512:" + "a" * 128, "annotations": {IMAGE_NAME: NAME}}]}
    Path(layout.root, "index.json").write_text(json.dumps(index))
    with pytest.raises(LayoutProblem, match="only SHA-256 can be checked"):
        Layout(layout.root)
