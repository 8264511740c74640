# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's folder of archives behaves as K3s' does: late, literal, and only for what it does not know."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Callable, Iterator

import pytest
from stand_in import images


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bytes]]]:
    """What was imported, with its content at that moment. The delay is short here."""
    found: list[tuple[str, bytes]] = []
    monkeypatch.setattr(images, "_DELAY", 0.1)
    monkeypatch.setattr(images, "_LOOK", 0.01)
    monkeypatch.setattr(images.Images, "_unpin", lambda _self: None)
    monkeypatch.setattr(
        images.Images, "_take", lambda _self, path: found.append((Path(path).name, Path(path).read_bytes()))
    )
    stop = threading.Event()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "before.tar").write_bytes(b"before")
    node = SimpleNamespace(agent_dir=str(tmp_path), program="k3s", release="v1.34.3+k3s1")
    images.Images(node, stop).start()
    yield found
    stop.set()


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_there_is_imported_at_the_start_and_what_comes_later_too(
    tmp_path: Path, taken: list[tuple[str, bytes]]
) -> None:
    assert taken == [("before.tar", b"before")]
    elsewhere = tmp_path / "whole"
    elsewhere.write_bytes(b"whole")
    elsewhere.rename(tmp_path / "images" / "later.tar")
    (tmp_path / "images" / "not-an-archive.part").write_bytes(b"x")
    _until(lambda: ("later.tar", b"whole") in taken)
    assert len(taken) == 2


def test_a_folder_beside_it_whose_name_begins_alike_is_taken_for_it(
    tmp_path: Path, taken: list[tuple[str, bytes]]
) -> None:
    (tmp_path / "images-incoming").mkdir()
    (tmp_path / "images-incoming" / "odd.tar").write_bytes(b"odd")
    (tmp_path / "k3sfleet-preload").mkdir()
    (tmp_path / "k3sfleet-preload" / "unseen.tar").write_bytes(b"unseen")
    _until(lambda: ("odd.tar", b"odd") in taken)
    assert "unseen.tar" not in dict(taken)


def test_a_known_file_is_imported_again_only_if_it_was_gone(tmp_path: Path, taken: list[tuple[str, bytes]]) -> None:
    known = tmp_path / "images" / "before.tar"
    known.write_bytes(b"beFORE")
    (tmp_path / "images" / "after.tar").write_bytes(b"after")
    _until(lambda: "after.tar" in dict(taken))
    assert taken.count(("before.tar", b"beFORE")) == 0
    known.unlink()
    (tmp_path / "images" / "much-later.tar").write_bytes(b"x")
    _until(lambda: "much-later.tar" in dict(taken))
    known.write_bytes(b"beFORE")
    _until(lambda: ("before.tar", b"beFORE") in taken)


@pytest.mark.parametrize(
    ("release", "expected"),
    [("v1.32.0+k3s1", True), ("v1.31.4+k3s1", False), ("v1.30.9+rke2r1", True), ("v1.28.9+k3s1", False)],
)
def test_which_releases_watch(release: str, expected: bool) -> None:
    assert images.watches(release) is expected
