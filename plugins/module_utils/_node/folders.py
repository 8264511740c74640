# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a file, one folder after the other, so that nobody else can lead it astray.

A path is looked up anew at every system call, and whoever may write one of its folders may put a link there in between.
So a path is walked once, each folder opened from the one before and never through a link of the kernel's following, and
what is to be done is done by way of the last descriptor. A link on the way is followed where root, or the user who runs
this, owns both it and its folder and nobody else may write there: such as /var/lib/rancher that leads to a larger disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Iterator, NamedTuple

_LOOK_ONLY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# As many links in one path as the kernel follows.
_MOST_LINKS = 40


class Untrusted(Exception):
    """Somebody else could decide what lies at a path; the text names the step and what to do about it."""


class Place(NamedTuple):
    """A name in an opened folder; ``path`` is where that is, with every link on the way resolved."""

    folder: int
    name: str
    path: str

    def status(self) -> os.stat_result | None:
        """What lies there, itself and not where it leads to; None when nothing does."""
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None


def is_mine(status: os.stat_result) -> bool:
    """Whether something belongs to root or to the user who runs this."""
    return status.st_uid in (0, os.geteuid())


def others_may_write(status: os.stat_result) -> bool:
    """Whether the mode lets somebody else write. Root's group, and the one of who runs this, are nobody else."""
    shared_group = status.st_mode & stat.S_IWGRP and status.st_gid not in (0, os.getegid())
    return bool(shared_group or status.st_mode & stat.S_IWOTH)


def trouble_with(status: os.stat_result, path: str) -> str:
    """Why what lies at ``path`` could be another user's doing, with what to do; "" when it could not."""
    if not is_mine(status):
        return "%s belongs to user %d, who may put anything there; give it to root, or choose another path" % (
            path,
            status.st_uid,
        )
    if others_may_write(status):
        return (
            "others than its owner may write %s (mode %04o) and put anything there; take that away with chmod go-w, or "
            "choose another path" % (path, stat.S_IMODE(status.st_mode))
        )
    return ""


@contextlib.contextmanager
def place_of(path: str, *, owned: bool, make: int | None = None, through_link: bool = False) -> Iterator[Place]:
    """The place that ``path`` names; its folder stays open while the block runs.

    :param owned: refuse a folder on the way that somebody else could change. /tmp and its like are passed through
        where the next step is ours, but nothing is placed in them.
    :param make: the mode of folders that are made if they are missing; None makes none.
    :param through_link: whether a link at ``path`` itself leads on to what is meant.
    :raises Untrusted: if somebody else could decide what is reached.
    :raises OSError: if the way does not go on.
    """
    walk = _Walk(path, owned, make)
    try:
        yield walk.to_place(through_link)
    finally:
        walk.close()


@contextlib.contextmanager
def opened(path: str, *, owned: bool, make: int | None = None) -> Iterator[int]:
    """A descriptor of the folder ``path``, to list and to lock: see :func:`place_of`.

    :param make: the mode of the folder itself if it is missing; those above it get 0755.
    """
    walk = _Walk(path, owned, None if make is None else 0o755)
    try:
        walk.to_folder(make)
        descriptor = os.open(".", _LIST, dir_fd=walk.here)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    finally:
        walk.close()


class _Walk:
    """One walk along a path. ``here`` is the folder that has been reached."""

    def __init__(self, path: str, owned: bool, make: int | None) -> None:
        self.path = path
        self.owned = owned
        self.make = make
        self.links = 0
        self.trail: list[str] = []
        self.todo = _parts(os.path.abspath(path) if not os.path.isabs(path) else path)
        self.here = os.open(os.sep, _LOOK_ONLY)
        self.status = os.fstat(self.here)

    def close(self) -> None:
        os.close(self.here)

    def to_place(self, through_link: bool) -> Place:
        while True:
            if not self.todo:
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self.path)
            name = self.todo.pop()
            if self.todo or name == os.pardir:
                self._step(name, self.make)
                continue
            status = self._found(name)
            if through_link and status is not None and stat.S_ISLNK(status.st_mode):
                self._follow(name, status)
                continue
            self._check_end()
            return Place(self.here, name, self._name_of(name))

    def to_folder(self, make: int | None) -> None:
        while self.todo:
            name = self.todo.pop()
            self._step(name, self.make if self.todo else make)
        self._check_end()

    def _check_end(self) -> None:
        """Nobody else may write to the folder that something is put in, whatever the way there passes through."""
        trouble = trouble_with(self.status, self._name_of()) if self.owned else ""
        if trouble:
            raise Untrusted(trouble)

    def _step(self, name: str, make: int | None) -> None:
        if name == os.pardir:
            self._enter(name)
            return
        status = self._found(name)
        if status is None and make is not None:
            self._make(name, make)
        elif status is not None and stat.S_ISLNK(status.st_mode):
            self._follow(name, status)
            return
        self._enter(name)

    def _found(self, name: str) -> os.stat_result | None:
        status = Place(self.here, name, "").status()
        self._check_next(self.status, status, name)
        return status

    def _check_next(self, folder: os.stat_result, status: os.stat_result | None, name: str) -> None:
        """What lies in a folder that everybody may write has to be ours to be passed through."""
        if status is not None and folder.st_mode & stat.S_IWOTH and not is_mine(status):
            raise Untrusted(
                "%s belongs to user %d, in a folder that everybody may write; choose another path"
                % (self._name_of(name), status.st_uid)
            )

    def _follow(self, name: str, link: os.stat_result) -> None:
        path = self._name_of(name)
        trouble = trouble_with(self.status, self._name_of())
        if not is_mine(link):
            trouble = "it belongs to user %d" % link.st_uid
        if trouble:
            raise Untrusted(
                "%s is a symbolic link that is not followed: %s. Name the path that it leads to" % (path, trouble)
            )
        self.links += 1
        if self.links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(name, dir_fd=self.here)
        self.todo.extend(_parts(target))
        if os.path.isabs(target):
            self._move(os.open(os.sep, _LOOK_ONLY))
            self.trail = []

    def _make(self, name: str, mode: int) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=self.here)
            descriptor = os.open(name, _LIST, dir_fd=self.here)
            try:
                # The mode above is less what the umask takes.
                os.fchmod(descriptor, mode)
            finally:
                os.close(descriptor)

    def _enter(self, name: str) -> None:
        before = self.status
        self._move(os.open(name, _LOOK_ONLY, dir_fd=self.here))
        if name == os.pardir:
            self.trail = self.trail[:-1]
            return
        # What has been opened, not what was seen under its name a moment ago.
        self._check_next(before, self.status, name)
        self.trail.append(name)
        passable = self.status.st_mode & stat.S_ISVTX and is_mine(self.status)
        trouble = trouble_with(self.status, self._name_of()) if self.owned and not passable else ""
        if trouble:
            raise Untrusted(trouble)

    def _move(self, descriptor: int) -> None:
        os.close(self.here)
        self.here = descriptor
        self.status = os.fstat(descriptor)

    def _name_of(self, name: str = "") -> str:
        return os.path.join(os.sep, *self.trail, name) if name else os.sep + os.sep.join(self.trail)


def _parts(path: str) -> list[str]:
    """The steps of a path, the last one first."""
    return [part for part in reversed(path.split(os.sep)) if part not in ("", os.curdir)]
