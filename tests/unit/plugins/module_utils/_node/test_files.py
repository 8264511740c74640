# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files where others have been: planted links, other users' folders, FIFOs, and names exchanged at the worst moment."""

from __future__ import annotations

import os
import signal
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files, folders
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem, Writes

from tests.unit.plugins.module_utils._node.strangers import Strangers, tree


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> Strangers:
    return Strangers(monkeypatch)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file that is to stay as it is."""
    path = tmp_path / "victim"
    path.write_text("precious")
    return path


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder such as /tmp."""
    path = tmp_path / "shared"
    path.mkdir()
    path.chmod(0o1777)
    return path


@contextmanager
def in_time(seconds: int = 5) -> Iterator[None]:
    """The block ends by itself, or the test fails; it does not hang."""

    def late(_signal: int, _frame: Any) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def put(path: Path, content: bytes = b"new", shared: bool = False, through_link: bool = False) -> None:
    writes = Writes(shared=shared)
    writes.add(str(path), content, 0o600, through_link=through_link)
    writes.finish()


@pytest.mark.parametrize("shared_folder", [True, False])
def test_a_link_in_a_files_place_is_refused_and_its_target_kept(
    tmp_path: Path, victim: Path, shared_folder: bool
) -> None:
    planted = tmp_path / "report.html"
    planted.symlink_to(victim)
    with pytest.raises(FileProblem, match="it is a symbolic link"):
        put(planted, shared=shared_folder)
    assert tree(tmp_path) == {"report.html": "-> %s" % victim, "victim": "precious"}


def test_a_link_is_written_through_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere/real.yaml", tmp_path / "registries.yaml"
    link.symlink_to("elsewhere/real.yaml")
    put(link, b"one", through_link=True)
    put(link, b"two", through_link=True)
    assert tree(tmp_path) == {"registries.yaml": "-> elsewhere/real.yaml", "elsewhere/real.yaml": "two"}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("whose", ["link", "its folder", "writable folder", "the target's folder", "sticky"])
def test_a_link_that_somebody_else_can_turn_is_not_written_through(
    tmp_path: Path, victim: Path, strangers: Strangers, whose: str
) -> None:
    folder, there = tmp_path / "folder", tmp_path / "there"
    folder.mkdir()
    there.mkdir()
    link = folder / "registries.yaml"
    link.symlink_to(there / "real.yaml")
    if whose == "link":
        strangers.give(link)
    elif whose == "its folder":
        strangers.give(folder)
    elif whose == "the target's folder":
        there.chmod(0o777)
    else:
        folder.chmod(0o1777 if whose == "sticky" else 0o777)
    with pytest.raises(FileProblem, match=r"cannot write .*(belongs to user|others than its owner may write)"):
        put(link, through_link=True)
    assert tree(tmp_path) == {"victim": "precious", "folder/registries.yaml": "-> %s" % (there / "real.yaml")}


@pytest.mark.parametrize("shared_folder", [True, False])
def test_linked_folders_above_are_followed_where_they_are_roots_alone(tmp_path: Path, shared_folder: bool) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "rancher").symlink_to("disk", target_is_directory=True)
    (tmp_path / "absolute").symlink_to(tmp_path / "rancher", target_is_directory=True)
    put(tmp_path / "absolute/k3s/file", shared=shared_folder)
    assert (tmp_path / "disk/k3s/file").read_bytes() == b"new"


@pytest.mark.parametrize("shared_folder", [True, False])
@pytest.mark.parametrize("whose", ["link", "folder"])
def test_linked_folders_above_are_not_followed_where_they_are_not(
    tmp_path: Path, strangers: Strangers, shared_folder: bool, whose: str
) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    theirs.mkdir()
    link = theirs / "reports"
    link.symlink_to(mine, target_is_directory=True)
    (mine / "report").write_text("precious")
    strangers.give(link if whose == "link" else theirs)
    with pytest.raises(FileProblem, match="belongs to user"):
        put(link / "report", shared=shared_folder)
    assert (mine / "report").read_text() == "precious"


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o1777])
def test_on_a_node_nothing_is_put_where_others_may_write(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(FileProblem, match=r"others than its owner may write .*chmod go-w"):
        put(folder / "file")
    with pytest.raises(FileProblem, match="others than its owner may write"):
        files.check(str(folder / "file"), through_link=False)
    assert tree(tmp_path) == {}


def test_on_a_node_a_folder_of_ours_in_a_sticky_one_will_do(shared: Path, strangers: Strangers) -> None:
    put(shared / "certs/registry/ca.crt")
    assert (shared / "certs/registry/ca.crt").read_bytes() == b"new"
    strangers.give(shared / "certs")
    with pytest.raises(FileProblem, match="belongs to user"):
        put(shared / "certs/registry/ca.crt")


def test_in_a_shared_folder_somebody_elses_file_is_left_alone(shared: Path, strangers: Strangers) -> None:
    theirs = shared / "report.html"
    theirs.write_text("theirs")
    strangers.give(theirs)
    with pytest.raises(FileProblem, match="belongs to user"):
        put(theirs, shared=True)
    assert tree(shared) == {"report.html": "theirs"}


def test_in_a_shared_folder_ours_is_replaced(shared: Path) -> None:
    put(shared / "report.html", b"one", shared=True)
    put(shared / "report.html", b"two", shared=True)
    assert tree(shared) == {"report.html": "two"}


def test_a_temporary_file_that_was_planted_is_not_written_to(shared: Path, victim: Path, tmp_path: Path) -> None:
    name = "report.html" + files.TEMPORARY_SUFFIX
    (shared / name).symlink_to(victim)
    put(shared / "report.html", shared=True)
    assert tree(shared) == {"report.html": "new", name: "-> %s" % victim}
    (tmp_path / name).symlink_to(victim)
    put(tmp_path / "report.html")
    assert not (tmp_path / name).is_symlink(), "on a node the name is ours, and what lies there goes"
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("through_link", [True, False])
@pytest.mark.parametrize("call", ["open", "rename", "fsync"])
def test_a_link_planted_in_between_is_replaced_and_not_followed(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch, call: str, through_link: bool
) -> None:
    """Between the look at the file and each call that follows."""
    target = tmp_path / "file"
    target.write_text("old")
    real = getattr(os, call)
    planted = []

    def planting(*arguments: Any, **more: Any) -> Any:
        # The first time that something is about to be made, or put in place.
        if not planted and (call != "open" or arguments[1] & os.O_CREAT):
            planted.append(True)
            target.unlink()
            target.symlink_to(victim)
        return real(*arguments, **more)

    monkeypatch.setattr(os, call, planting)
    if call == "rename":
        put(target, through_link=through_link)
        assert target.read_text() == "new"
        assert not target.is_symlink()
    else:
        with pytest.raises(FileProblem, match="symbolic link"):
            put(target, through_link=through_link)
    assert planted
    assert victim.read_text() == "precious"
    assert not list(tmp_path.glob("*" + files.TEMPORARY_SUFFIX))


def test_a_folder_exchanged_for_a_link_in_between_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (other / "file").write_text("precious")
    real = os.stat

    def exchanging(path: Any, *arguments: Any, **more: Any) -> os.stat_result:
        found = real(path, *arguments, **more)
        if path == "folder" and not folder.is_symlink():
            folder.rename(tmp_path / "moved")
            folder.symlink_to(other, target_is_directory=True)
        return found

    monkeypatch.setattr(os, "stat", exchanging)
    with pytest.raises(FileProblem):
        put(folder / "file", shared=True)
    assert (other / "file").read_text() == "precious"


@pytest.mark.parametrize("shared_folder", [True, False])
@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_what_is_no_file_is_neither_replaced_nor_waited_for(tmp_path: Path, kind: str, shared_folder: bool) -> None:
    path = tmp_path / "odd"
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with in_time(), pytest.raises(FileProblem, match="it is (a directory|not a regular file); move it out of the way"):
        put(path, shared=shared_folder)
    with in_time(), pytest.raises(FileProblem, match="it is (a directory|not a regular file)"):
        files.read(str(path))
    with in_time(), pytest.raises(FileProblem, match="it is (a directory|not a regular file)"):
        files.read_own(str(path))
    assert stat.S_IFMT(path.stat().st_mode) in (stat.S_IFDIR, stat.S_IFIFO)


def test_a_device_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = os.open

    def noting(path: Any, *arguments: Any, **more: Any) -> int:
        opened.append(path)
        return real(path, *arguments, **more)

    monkeypatch.setattr(os, "open", noting)
    with pytest.raises(FileProblem, match="not a regular file"):
        files.read("/dev/zero")
    assert "/dev/zero" not in opened


def test_a_file_that_is_much_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with open(path, "wb") as handle:
        handle.truncate(files.LARGEST + 1)
    with pytest.raises(FileProblem, match="larger than 16 MiB"):
        files.read(str(path))


@pytest.mark.parametrize("umask", [0, 0o077])
def test_modes_are_as_asked_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files.make_directory(str(tmp_path / "a/b"), 0o700)
        put(tmp_path / "a/b/file")
        put(tmp_path / "c/file")
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/file", "c", "c/file")}
    assert modes == {"a": 0o755, "a/b": 0o700, "a/b/file": 0o600, "c": 0o755, "c/file": 0o600}


def test_a_secret_is_never_wider_than_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    real = os.fchmod

    def noting(descriptor: int, mode: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        real(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", noting)
    before = os.umask(0)
    try:
        put(tmp_path / "file")
    finally:
        os.umask(before)
    assert modes == [0o600]


@pytest.mark.parametrize("whose", ["file", "folder", "link"])
def test_what_is_ours_is_believed_only_where_it_can_be_nobody_elses(
    tmp_path: Path, strangers: Strangers, whose: str
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    record = folder / "record.json"
    record.write_text("{}")
    assert files.read_own(str(record)).content == b"{}"
    assert files.read_own(str(folder / "none")).content is None
    assert files.read_own(str(tmp_path / "none/none")).content is None
    if whose == "link":
        (tmp_path / "other.json").write_text("{}")
        record.unlink()
        record.symlink_to(tmp_path / "other.json")
    else:
        strangers.give(record if whose == "file" else folder)
    with pytest.raises(FileProblem, match=r"cannot read .*(belongs to user|not a regular file)"):
        files.read_own(str(record))


def test_removing_follows_no_link_out(tmp_path: Path, victim: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("precious")
    ours = tmp_path / "ours"
    (ours / "deep").mkdir(parents=True)
    (ours / "deep/file").write_text("x")
    (ours / "link").symlink_to(kept, target_is_directory=True)
    (ours / "deep/victim").symlink_to(victim)
    os.mkfifo(ours / "fifo")
    files.remove_tree(str(ours))
    files.remove_tree(str(ours))
    assert tree(tmp_path) == {"kept/file": "precious", "victim": "precious"}


def test_removing_a_file_goes_through_no_folder_that_somebody_else_has_linked(
    tmp_path: Path, victim: Path, strangers: Strangers
) -> None:
    theirs = tmp_path / "certs"
    theirs.symlink_to(tmp_path, target_is_directory=True)
    strangers.give(theirs)
    with pytest.raises(FileProblem, match="belongs to user"):
        files.remove(str(theirs / "victim"), through_link=False)
    assert victim.read_text() == "precious"


def test_a_removal_through_a_link_takes_what_was_written_through_it(tmp_path: Path, victim: Path) -> None:
    link = tmp_path / "registries.yaml"
    link.symlink_to("real.yaml")
    put(link, b"secret", through_link=True)
    assert files.remove(str(link), through_link=True)
    assert tree(tmp_path) == {"victim": "precious"}
    assert not files.remove(str(link), through_link=True)
    link.symlink_to(victim)
    files.remove(str(link), through_link=False)
    assert tree(tmp_path) == {"victim": "precious"}, "elsewhere the link alone goes"


def test_an_immutable_file_is_named_before_another_one_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "client.key", tmp_path / "registries.yaml"
    first.write_text("old")
    second.write_text("old")

    def attributes(descriptor: int, _request: int, flags: Any) -> int:
        flags[0] = 0x10 if os.fstat(descriptor).st_ino == second.stat().st_ino else 0
        return 0

    monkeypatch.setattr(files.fcntl, "ioctl", attributes)
    writes = Writes()
    writes.add(str(first), b"new", 0o600, through_link=False)
    with pytest.raises(FileProblem, match="immutable; take that away with chattr"):
        writes.add(str(second), b"new", 0o600, through_link=False)
    writes.finish()
    assert tree(tmp_path) == {"client.key": "old", "registries.yaml": "old"}


def test_a_walk_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(FileProblem, match="Too many levels of symbolic links"):
        put(tmp_path / "a/file")
    with pytest.raises(FileProblem):
        put(tmp_path / "a", through_link=True)


def test_no_descriptor_is_left_open(tmp_path: Path, victim: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    put(tmp_path / "a/b/c")
    files.read_own(str(tmp_path / "a/b/c"))
    (tmp_path / "link").symlink_to(victim)
    with pytest.raises(FileProblem):
        put(tmp_path / "link")
    with pytest.raises(OSError, match="No such file"), folders.opened(str(tmp_path / "x"), owned=True):
        pass
    files.remove_tree(str(tmp_path / "a"))
    assert set(os.listdir("/proc/self/fd")) == before


def test_the_last_lines_of_a_log_begin_with_a_whole_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("password=secret\nsecond\nthird\n")
    assert files.last_lines(str(log), 10, 100) == ["password=secret", "second", "third"]
    assert files.last_lines(str(log), 10, 20) == ["second", "third"]
    assert files.last_lines(str(log), 1, 100) == ["third"]
    assert files.last_lines(str(log), 10, 100, begin=16) == ["second", "third"]
    assert files.last_lines(str(log), 10, 100, begin=1000) == ["password=secret", "second", "third"]
