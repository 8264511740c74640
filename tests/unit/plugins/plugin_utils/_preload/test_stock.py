# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives are made once, are the same on every machine, hold what containerd needs, and of what is right only."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.archive import pack as pack_layout
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._preload.stock import Stock, StockProblem, stock_of

from tests.mirror.exports import SHARED, export

NAMES = ["docker.io/library/nginx:1.29", "quay.io/prometheus/node-exporter:v1.10.2"]


def stock(tmp_path: Path, check: bool = False, said: Any = None, **arguments: Any) -> Stock:
    told = {
        "archive_dir": str(tmp_path / "archives"), "layouts": [], "archives": [], "compression": "gzip",
    }  # fmt: skip
    images = arguments.pop("images", [])
    arguments["layouts"] = [{"path": path, "images": images} for path in arguments.get("layouts", [])]
    return stock_of({**told, **arguments}, lambda path: path, check, said or (lambda _line: None))


def content(path: str) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_each_image_is_an_archive_that_containerd_can_import(tmp_path: Path) -> None:
    layout = export(tmp_path / "layout", *NAMES)
    lines: list[str] = []
    found = stock(tmp_path, layouts=[layout.root], said=lines.append)
    assert [item.archive.images for item in found.stored] == [(name,) for name in NAMES]
    assert lines == ["[1/2] packing " + NAMES[0], "[2/2] packing " + NAMES[1]]
    for item in found.stored:
        inside = content(item.path)
        index = json.loads(inside["index.json"])
        (manifest,) = index["manifests"]
        assert manifest["annotations"]["io.containerd.image.name"] == item.archive.images[0]
        blobs = {name: data for name, data in inside.items() if name.startswith("blobs/")}
        assert len(blobs) == 4
        assert all(name == "blobs/sha256/" + hashlib.sha256(data).hexdigest() for name, data in blobs.items())
        assert item.archive.file.endswith(item.archive.sha256[:12] + ".tar.gz")
        assert hashlib.sha256(Path(item.path).read_bytes()).hexdigest() == item.archive.sha256
        assert os.stat(item.path).st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path / "archives")) == sorted(
        ["catalogue.json", "lock", *(item.archive.file for item in found.stored)]
    )


def test_they_are_made_once_and_are_the_same_elsewhere(tmp_path: Path) -> None:
    layout = export(tmp_path / "layout", *NAMES)
    first = stock(tmp_path, layouts=[layout.root])
    again = stock(tmp_path, layouts=[layout.root])
    assert (len(first.made), again.made) == (2, [])
    assert again.stored == first.stored
    elsewhere = stock(tmp_path / "elsewhere", layouts=[export(tmp_path / "elsewhere" / "layout", *NAMES).root])
    assert [item.archive for item in elsewhere.stored] == [item.archive for item in first.stored]


def test_one_that_is_gone_or_damaged_is_made_again(tmp_path: Path) -> None:
    layout = export(tmp_path / "layout", *NAMES)
    first = stock(tmp_path, layouts=[layout.root])
    os.unlink(first.stored[0].path)
    Path(first.stored[1].path).write_bytes(b"damaged")
    again = stock(tmp_path, layouts=[layout.root])
    assert again.made == [item.archive.file for item in first.stored]
    assert again.stored == first.stored


@pytest.mark.parametrize(("compression", "extension"), [("none", ".tar"), ("gzip", ".tar.gz")])
def test_compressions(tmp_path: Path, compression: str, extension: str) -> None:
    layout = export(tmp_path / "layout", NAMES[0])
    (item,) = stock(tmp_path, layouts=[layout.root], compression=compression).stored
    assert item.archive.file.endswith(extension)
    raw = Path(item.path).read_bytes()
    # Neither a name nor a time in its header, so that the same image makes the same bytes tomorrow.
    assert raw[:8] == b"\x1f\x8b\x08\0\0\0\0\0" if compression == "gzip" else tarfile.is_tarfile(item.path)


def test_an_export_that_is_packed_is_the_same(tmp_path: Path) -> None:
    layout = export(tmp_path / "layout", *NAMES)
    tar = tmp_path / "export.tar"
    pack_layout(layout.root, str(tar))
    packed = stock(tmp_path / "a", layouts=[str(tar)])
    assert [item.archive for item in packed.stored] == [
        item.archive for item in stock(tmp_path / "b", layouts=[layout.root]).stored
    ]
    assert stock(tmp_path / "a", layouts=[str(tar)]).made == []
    assert "staging" not in os.listdir(tmp_path / "a" / "archives")


def test_only_some_images(tmp_path: Path) -> None:
    layout = export(tmp_path / "layout", *NAMES)
    found = stock(tmp_path, layouts=[layout.root], images=["nginx:1.29"])
    assert [item.archive.images for item in found.stored] == [(NAMES[0],)]
    with pytest.raises(StockProblem, match="layout has no docker.io/library/other:1"):
        stock(tmp_path, layouts=[layout.root], images=["other:1"])


@pytest.mark.parametrize("odd", [7, {"images": ["a:1"]}, {"path": "/x", "images": "a:1"}, {"path": "/x", "more": 1}])
def test_an_odd_layout_is_explained(tmp_path: Path, odd: Any) -> None:
    told = {"archive_dir": str(tmp_path), "layouts": [odd], "archives": [], "compression": "none"}
    with pytest.raises(StockProblem, match="each is a path, or a mapping"):
        stock_of(told, str, False, print)


def test_check_mode_makes_nothing(tmp_path: Path) -> None:
    layout = export(tmp_path / "layout", *NAMES)
    found = stock(tmp_path, True, layouts=[layout.root], images=[*NAMES, "other:1"])
    assert sorted(found.to_make) == ["docker.io/library/nginx:1.29", "docker.io/library/other:1", NAMES[1]]
    nothing = stock(tmp_path, True, layouts=[str(tmp_path / "not-exported-yet")], images=NAMES)
    assert nothing == Stock([], [], NAMES)
    assert not (tmp_path / "archives").exists()


def test_a_damaged_layout_makes_no_archive_and_says_where(tmp_path: Path) -> None:
    layout = export(tmp_path / "layout", *NAMES)
    (shared,) = [digest for digest in os.listdir(layout.root + "/blobs/sha256")
                 if Path(layout.root, "blobs/sha256", digest).read_bytes() == SHARED]  # fmt: skip
    Path(layout.root, "blobs/sha256", shared).write_bytes(SHARED[:-1] + b"x")
    with pytest.raises(StockProblem, match="damaged: its content has another digest"):
        stock(tmp_path, layouts=[layout.root])
    assert sorted(os.listdir(tmp_path / "archives")) == ["lock"]


def saved(path: Path, packed: bool = False) -> Path:
    """What ``docker save`` writes, with two names."""
    config = b"{}"
    listing = [{"Config": hashlib.sha256(config).hexdigest() + ".json", "RepoTags": ["rancher/pause:3.6", "nginx:1"],
                "Layers": []}]  # fmt: skip
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, data in (("manifest.json", json.dumps(listing).encode()), (listing[0]["Config"], config)):
            member = tarfile.TarInfo(str(name))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    path.write_bytes(gzip.compress(raw.getvalue()) if packed else raw.getvalue())
    return path


@pytest.mark.parametrize("name", ["k3s-airgap-images-amd64.tar", "k3s-airgap-images-amd64.tar.gz"])
def test_a_tarball_of_a_release_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    tarball = saved(tmp_path / name, name.endswith("gz"))
    (item,) = stock(tmp_path, archives=[str(tarball)]).stored
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    assert item.path == str(tarball)
    assert item.archive.file == "k3sfleet-k3s-airgap-images-amd64.%s%s" % (digest[:12], name[len("k3s-airgap-images-amd64"):])  # fmt: skip  # noqa: E501
    assert item.archive.images == ("docker.io/rancher/pause:3.6", "docker.io/library/nginx:1")
    assert stock(tmp_path, archives=[str(tarball)]).stored == [item]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.tar.xz", b"x", "K3s imports no file"),
        ("a.tar", b"not a tarball", "cannot be read as an image tarball"),
        ("a.tar.gz", b"\x1f\x8bnonsense", "cannot be unpacked"),
    ],
)
def test_what_cannot_be_imported_is_refused_by_name(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(StockProblem, match=why) as problem:
        stock(tmp_path, archives=[str(tmp_path / name)])
    assert name in str(problem.value)


def test_a_docker_tarball_among_layouts_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StockProblem, match="belongs into archives"):
        stock(tmp_path, layouts=[str(saved(tmp_path / "a.tar"))])


def test_a_folder_of_somebody_else_s_is_refused(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir(mode=0o777)
    (tmp_path / "archives").chmod(0o777)
    layout = export(tmp_path / "layout", *NAMES)
    with pytest.raises(StockProblem, match="written by everybody"):
        stock(tmp_path, layouts=[layout.root])
