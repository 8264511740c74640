# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing archives in: where they arrive, what is there already, and what a crash at any write leaves."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Callable, Mapping

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import node_paths
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload import bring
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.archive import Archive
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.bring import NoRoom, Piece
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.look import NameTaken, look
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.part import WrongContent
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.places import (
    Ledger,
    Places,
    make,
    places_of,
)

from .conftest import described

CONTENTS = {"one": b"the first archive", "two": b"another one", "three": b"and a third"}
ARCHIVES = {name: described(content, name) for name, content in CONTENTS.items()}
WANTED = list(ARCHIVES.values())


def parcel_of(tmp_path: Path, have: Mapping[str, int]) -> tuple[list[Piece], str]:
    """All that is missing, as the controller sends it."""
    pieces, path = [], tmp_path / "parcel"
    with path.open("wb") as out:
        for name, archive in ARCHIVES.items():
            begin = have.get(archive.sha256, 0)
            if begin < archive.size:
                pieces.append(Piece(archive.sha256, begin, archive.size - begin))
                out.write(CONTENTS[name][begin:])
    return pieces, str(path)


def by_digest() -> dict[str, Archive]:
    return {archive.sha256: archive for archive in WANTED}


def run(places: Places, tmp_path: Path) -> None:
    """What a run does on a node: look, see what is right of what has arrived, receive the rest, place it."""
    make(places)
    missing = [found for found in look(places, Ledger(places), WANTED) if not found.path]
    have = bring.verify(places, [found.archive for found in missing])
    complete = {archive.sha256: archive.size for archive in WANTED}
    pieces, parcel = parcel_of(tmp_path, {**complete, **have})
    bring.receive(places, by_digest(), pieces, parcel)
    bring.place(places, Ledger(places), [found.archive for found in missing], list)


def in_place(places: Places) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(places.images).iterdir()}


COMPLETE = {ARCHIVES[name].file: content for name, content in CONTENTS.items()}


def test_k3s_does_not_look_where_archives_arrive(places: Places) -> None:
    assert not places.incoming.startswith(places.images)
    assert os.stat(places.incoming).st_dev == os.stat(places.images).st_dev
    assert os.stat(places.incoming).st_mode & 0o777 == 0o700


def test_a_folder_that_is_a_link_is_followed(tmp_path: Path) -> None:
    larger = tmp_path / "disk" / "images"
    larger.mkdir(parents=True)
    (tmp_path / "k3s" / "agent").mkdir(parents=True)
    (tmp_path / "k3s" / "agent" / "images").symlink_to(larger)
    places = places_of(node_paths(data_dir=str(tmp_path / "k3s")))
    run(places, tmp_path)
    assert {file.name: file.read_bytes() for file in larger.iterdir()} == COMPLETE
    assert (tmp_path / "k3s" / "agent" / "images").is_symlink()
    assert places.incoming.startswith(str(tmp_path / "disk"))


def test_everything_arrives_and_a_second_run_misses_nothing(places: Places, tmp_path: Path) -> None:
    run(places, tmp_path)
    assert in_place(places) == COMPLETE
    assert {os.stat(places.placed(file)).st_mode & 0o777 for file in COMPLETE} == {0o600}
    assert all(found.path and not found.theirs for found in look(places, Ledger(places), WANTED))
    assert os.listdir(places.incoming) == ["brought.json"]


def test_the_operator_s_files_are_used_and_not_touched(places: Places, tmp_path: Path) -> None:
    theirs = Path(places.images) / "k3s-airgap-images-amd64.tar"
    other = Path(places.images) / "by-hand.tar.zst"
    theirs.write_bytes(CONTENTS["one"])
    other.write_bytes(b"their own content")
    (Path(places.images) / "images.txt").write_text("docker.io/library/nginx:1\n")
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in (theirs, other)}
    run(places, tmp_path)
    found = {item.archive.file: item for item in look(places, Ledger(places), WANTED)}
    assert found[ARCHIVES["one"].file].theirs
    assert found[ARCHIVES["one"].file].path == str(theirs)
    assert not Path(places.placed(ARCHIVES["one"].file)).exists()
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in (theirs, other)} == before
    assert other.read_bytes() == b"their own content"


def test_a_name_that_somebody_else_has_taken_is_refused(places: Places) -> None:
    Path(places.placed(ARCHIVES["one"].file)).write_bytes(b"theirs")
    with pytest.raises(NameTaken, match="Move it away"):
        look(places, Ledger(places), WANTED)


def test_a_placed_archive_that_was_damaged_comes_again(places: Places, tmp_path: Path) -> None:
    run(places, tmp_path)
    Path(places.placed(ARCHIVES["two"].file)).write_bytes(b"shorter")
    assert [found.archive for found in look(places, Ledger(places), WANTED) if not found.path] == [ARCHIVES["two"]]
    run(places, tmp_path)
    assert in_place(places) == COMPLETE


def test_a_placed_archive_that_was_only_touched_does_not(places: Places, tmp_path: Path) -> None:
    run(places, tmp_path)
    os.utime(places.placed(ARCHIVES["two"].file))
    assert all(found.path for found in look(places, Ledger(places), WANTED))


def test_a_parcel_that_is_damaged_on_the_way_names_where_to_continue(places: Places, tmp_path: Path) -> None:
    pieces, parcel = parcel_of(tmp_path, {})
    content = bytearray(Path(parcel).read_bytes())
    content[len(CONTENTS["one"]) + 1] ^= 1
    Path(parcel).write_bytes(content)
    with pytest.raises(WrongContent) as wrong:
        bring.receive(places, by_digest(), pieces, parcel)
    assert wrong.value.offset == 0
    assert ARCHIVES["two"].file in str(wrong.value)
    have = bring.verify(places, WANTED)
    assert have == {
        ARCHIVES["one"].sha256: len(CONTENTS["one"]),
        ARCHIVES["two"].sha256: 0,
        ARCHIVES["three"].sha256: 0,
    }


def test_a_parcel_that_ends_early_is_refused(places: Places, tmp_path: Path) -> None:
    pieces, parcel = parcel_of(tmp_path, {})
    Path(parcel).write_bytes(Path(parcel).read_bytes()[:-1])
    with pytest.raises(WrongContent):
        bring.receive(places, by_digest(), pieces, parcel)


def test_blocks_that_lie_about_the_whole_place_nothing(places: Places, tmp_path: Path) -> None:
    lying = described(CONTENTS["one"], "one")._replace(sha256="0" * 64)
    Path(places.part("0" * 64)).write_bytes(CONTENTS["one"])
    with pytest.raises(WrongContent):
        bring.place(places, Ledger(places), [lying], list)
    assert in_place(places) == {}
    assert Ledger(places).files == {}


def test_images_that_were_there_before_are_remembered(places: Places, tmp_path: Path) -> None:
    pieces, parcel = parcel_of(tmp_path, {})
    bring.receive(places, by_digest(), pieces, parcel)
    bring.place(places, Ledger(places), WANTED, lambda: ["docker.io/rancher/one:1", "docker.io/library/other:1"])
    assert Ledger(places).files[ARCHIVES["one"].file].before == ("docker.io/rancher/one:1",)
    # The archive comes again; its image is there now because of the first time.
    bring.take_out(places, [ARCHIVES["one"], ARCHIVES["two"]])
    bring.place(places, Ledger(places), WANTED, lambda: ["docker.io/rancher/one:1", "docker.io/rancher/two:1"])
    assert Ledger(places).files[ARCHIVES["one"].file].before == ("docker.io/rancher/one:1",)
    assert Ledger(places).files[ARCHIVES["two"].file].before == ()
    assert in_place(places) == COMPLETE


def test_what_nobody_wants_any_more_is_not_kept(places: Places) -> None:
    Path(places.part("1" * 64)).write_bytes(b"old")
    Path(places.part(ARCHIVES["one"].sha256)).write_bytes(b"the")
    bring.clear(places, WANTED)
    assert sorted(os.listdir(places.incoming)) == [ARCHIVES["one"].sha256 + ".part"]


def test_no_room_is_said_before_anything_is_written(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(places.incoming)
    free = type("Found", (), {"f_bavail": (256 << 20) // real.f_frsize + 1, "f_frsize": real.f_frsize})
    monkeypatch.setattr(os, "statvfs", lambda _path: free)
    bring.check_room(places, [], os.path.dirname(places.images))
    bring.check_room(places, WANTED, os.path.dirname(places.images))
    large = WANTED[0]._replace(size=5 << 30)
    with pytest.raises(NoRoom, match="MB free, and 11005 MB are needed"):
        bring.check_room(places, [large], os.path.dirname(places.images))


def test_a_ledger_that_nobody_can_read_says_what_to_do(places: Places) -> None:
    Path(places.ledger).write_text("{")
    with pytest.raises(FileProblem, match="Remove it"):
        Ledger(places)


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class Faults:
    """Makes the n-th write of the process its last, after half of it is done, or makes all from there on fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.at, self.how = 0, -1, ""
        for name in ("rename", "unlink", "mkdir", "fsync", "fchmod", "ftruncate"):
            monkeypatch.setattr(os, name, self._before(getattr(os, name)))
        real_write = os.write

        def write(descriptor: int, content: Any) -> int:
            if self._is_last():
                real_write(descriptor, content[: len(content) // 2])
                self._end()
            # A short write, as every one may be.
            return real_write(descriptor, content[: max(1, len(content) * 2 // 3)])

        monkeypatch.setattr(os, "write", write)

    def _before(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **more: Any) -> Any:
            if self._is_last():
                self._end()
            return real(*arguments, **more)

        return wrapped

    def _is_last(self) -> bool:
        self.count += 1
        return 0 <= self.at < self.count

    def _end(self) -> None:
        if self.how == "kill":
            raise Killed
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("how", ["kill", "full"])
def test_every_write_may_be_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """K3s never sees a file that is not complete, and the next run ends with everything in place."""
    faults = Faults(monkeypatch)
    at, hit = 0, True
    while hit:
        places = places_of(node_paths(data_dir=str(tmp_path / ("k3s-%d" % at))))
        faults.count, faults.at, faults.how = 0, at, how
        hit = False
        try:
            run(places, tmp_path)
        except (Killed, FileProblem):
            hit = True
        faults.at = -1
        seen = in_place(places) if os.path.isdir(places.images) else {}
        assert seen == {file: COMPLETE.get(file) for file in seen}, "after write %d" % at
        ours = set(Ledger(places).files) if os.path.isdir(os.path.dirname(places.ledger)) else set()
        assert set(seen) <= ours, "write %d left a file that nobody knows to be ours" % at
        run(places, tmp_path)
        assert in_place(places) == COMPLETE, "after write %d" % at
        at += 1
    assert at > 20, "the faults were not injected"
