# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files: read, written whole or not at all, removed, never wider than asked, never where somebody else points.

Used on the node, and on the controller for the report. How a path is walked is the business of :mod:`folders`.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import stat
from typing import IO, Iterator, NamedTuple

from . import folders, selinux_label

TEMPORARY_SUFFIX = ".k3sfleet-new"
"""Ends the name of a file that is being written, and of a folder that is being removed. On a node the name is fixed per
target: what a crash leaves behind is found by the next run, and :func:`write` never follows what lies there."""

LARGEST = 16 << 20
"""Bytes that a file which is read whole may have: many times what any of them needs."""


class FileState(NamedTuple):
    """What lies at a path: ``content`` is None when nothing does."""

    content: bytes | None
    mode: int
    uid: int
    gid: int


ABSENT = FileState(None, 0, 0, 0)
_NOT_THERE = (FileNotFoundError, NotADirectoryError)
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
# Linux' FS_IOC_GETFLAGS without the size of a long, and FS_IMMUTABLE_FL and FS_APPEND_FL.
_GET_ATTRIBUTES = 0x80006601
_CANNOT_BE_REPLACED = 0x10 | 0x20


class FileProblem(Exception):
    """A file could not be read or written; the text names the path and the reason, never the content."""


def _problem(verb: str, path: str, error: OSError) -> FileProblem:
    reason = os.strerror(error.errno or errno.EIO)
    if error.strerror and error.strerror != reason:
        # One of ours, which says itself what to do.
        return FileProblem("cannot %s %s: %s" % (verb, path, error.strerror))
    hint = {
        errno.ENOSPC: "; free some space on that file system",
        errno.EROFS: "; the file system is mounted read-only",
        errno.EACCES: "; the module has to run as root (become: true)",
        errno.EPERM: "; the module has to run as root (become: true), and nothing of it may be immutable (lsattr)",
    }.get(error.errno or 0, "")
    return FileProblem("cannot %s %s: %s%s" % (verb, path, reason, hint))


@contextlib.contextmanager
def reported(verb: str, path: str, *, but_absence: bool = False) -> Iterator[None]:
    """Whatever goes wrong in the block, as a sentence about ``path``.

    :param but_absence: that there is nothing at ``path`` is for the caller to catch.
    """
    try:
        yield
    except _NOT_THERE as error:
        if but_absence:
            raise
        raise _problem(verb, path, error) from error
    except folders.Untrusted as error:
        raise FileProblem("cannot %s %s: %s" % (verb, path, error)) from error
    except OSError as error:
        raise _problem(verb, path, error) from error


@contextlib.contextmanager
def _place_to(verb: str, path: str, *, owned: bool, through_link: bool = False) -> Iterator[folders.Place]:
    """:func:`folders.place_of` with what goes wrong as a sentence, but for absence."""
    walk = folders.place_of(path, owned=owned, through_link=through_link)
    with reported(verb, path, but_absence=True), walk as place:
        yield place


def _refuse_unless_regular(status: os.stat_result, path: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a directory; move it out of the way", path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file; move it out of the way", path)


def regular_only(path: str, flags: int) -> int:
    """An ``opener`` for :func:`open` that refuses what is no regular file: a FIFO would hold the run for as long as
    nobody writes to it, and to open a device can do something already."""
    _refuse_unless_regular(os.stat(path), path)
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    try:
        _refuse_unless_regular(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read(path: str) -> FileState:
    """What lies at ``path``, followed through symbolic links as K3s follows them.

    :raises FileProblem: if something is there that is not a readable regular file, or too large to be one of these.
    """
    try:
        with reported("read", path, but_absence=True), open(path, "rb", opener=regular_only) as handle:
            return _whole(handle, path)
    except _NOT_THERE:
        return ABSENT


def read_own(path: str) -> FileState:
    """What lies at ``path``, in a folder of the collection's own: believed only if it is nobody else's doing.

    :raises FileProblem: if somebody else can have, and as :func:`read` does.
    """
    try:
        with _place_to("read", path, owned=True) as place:
            status = place.status()
            if status is None:
                return ABSENT
            _refuse_unless_regular(status, path)
            with os.fdopen(os.open(place.name, _READ, dir_fd=place.folder), "rb") as handle:
                trouble = folders.trouble_with(os.fstat(handle.fileno()), path)
                if trouble:
                    raise folders.Untrusted(trouble)
                return _whole(handle, path)
    except _NOT_THERE:
        return ABSENT


def _whole(handle: IO[bytes], path: str) -> FileState:
    status = os.fstat(handle.fileno())
    content = handle.read(LARGEST + 1)
    if content is None:
        # Some files of the kernel's own have nothing to say just now.
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)
    if len(content) > LARGEST:
        raise OSError(errno.EFBIG, "it is larger than %d MiB" % (LARGEST >> 20), path)
    return FileState(content, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def names_in(path: str) -> list[str]:
    """The names in a folder, in order; none if it cannot be read."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def last_lines(path: str, count: int, most: int, begin: int = 0) -> list[str]:
    """The last lines of a log, of what it has after the byte ``begin`` and of ``most`` bytes at the most; none if it
    cannot be read."""
    try:
        with open(path, "rb", opener=regular_only) as handle:
            size = handle.seek(0, os.SEEK_END)
            # A file that has become smaller is another one: logrotate has been here.
            begin = begin if begin <= size else 0
            start = max(begin, size - most)
            handle.seek(start)
            lines = handle.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    # Half a line may end with a credential that only its beginning would give away.
    return lines[1 if start > begin else 0 :][-count:]


def matches(path: str, content: bytes, mode: int) -> bool:
    """Whether ``path`` already holds ``content``, owned by root with exactly ``mode``."""
    state = read(path)
    return state.content == content and state.mode == mode and state.uid == os.geteuid()


def make_directory(path: str, mode: int) -> None:
    """Make ``path``, and its parents with 0755. An existing folder is left as it is.

    :raises FileProblem: if it cannot be made, or somebody else could change what lies in it.
    """
    with reported("create the folder", path), folders.opened(path, owned=True, make=mode):
        return


def check(path: str, *, through_link: bool) -> None:
    """Refuse a path that :class:`Writes` would refuse, as far as it is there yet.

    :raises FileProblem: if something is there that is not to be replaced, or somebody else could change it.
    """
    missing = contextlib.suppress(FileNotFoundError)
    with missing, _place_to("write", path, owned=True, through_link=through_link) as place:
        _refuse_to_replace(place, False)


def _refuse_to_replace(place: folders.Place, shared: bool) -> None:
    """Refuse to replace anything but a file of ours."""
    status = place.status()
    if status is None:
        return
    if stat.S_ISLNK(status.st_mode):
        raise folders.Untrusted(
            "it is a symbolic link, and this file is not written through one; remove the link, or name the file that "
            "it leads to"
        )
    _refuse_unless_regular(status, place.path)
    if _is_immutable(place):
        raise OSError(errno.EPERM, "it is immutable; take that away with chattr -ia", place.path)
    if shared and os.fstat(place.folder).st_mode & stat.S_IWOTH and not folders.is_mine(status):
        raise folders.Untrusted(
            "the file there belongs to user %d, in a folder that everybody may write; choose another path"
            % status.st_uid
        )


def _is_immutable(place: folders.Place) -> bool:
    """Whether a file has an attribute that lets nobody replace it, root included. Else only the rename would tell,
    when other files have been replaced already."""
    flags = array.array("l", [0])
    try:
        descriptor = os.open(place.name, _READ, dir_fd=place.folder)
    except OSError:
        return False
    try:
        fcntl.ioctl(descriptor, _GET_ATTRIBUTES | flags.itemsize << 16, flags)
    except OSError:
        # Not every file system has attributes.
        return False
    finally:
        os.close(descriptor)
    return bool(flags[0] & _CANNOT_BE_REPLACED)


def _label_of(place: folders.Place) -> bytes:
    """The SELinux label of the file that is to be replaced, b"" if there is none."""
    try:
        descriptor = os.open(place.name, _READ, dir_fd=place.folder)
    except OSError:
        return b""
    try:
        return selinux_label.label_of(descriptor)
    finally:
        os.close(descriptor)


class Writes:
    """Several files to put in place together.

    :meth:`add` writes a file's content beside its target, :meth:`finish` renames them all, in the order in which
    they were added. What can fail for want of space or rights fails before the first target is touched, and a reader
    sees each file as it was or as it will be, after a crash too. A rename replaces a name and follows nothing, so what
    is planted there at the last moment is replaced and not written to.

    :param shared: for folders that other users may write, such as /tmp on a controller, where a path is not refused for
        that alone: a file of somebody else's is left alone, and temporary names cannot be guessed. On a node, every
        folder that something is put in has to be root's alone.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._shared = shared
        self._ready: list[tuple[str, str]] = []

    def add(self, path: str, content: bytes, mode: int, *, through_link: bool) -> None:
        """Prepare ``content`` for ``path``.

        :param through_link: whether a symbolic link at ``path`` is written through, as K3s reads through it. If not,
            one that lies there is refused.
        :raises FileProblem: if it cannot be written; everything prepared so far has been removed again then.
        """
        try:
            with reported("write", path), self._place_of(path, through_link) as place:
                _refuse_to_replace(place, self._shared)
                temporary = self._temporary(place)
                self._ready.append((place.path, temporary))
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptor = os.open(temporary, flags, 0o600, dir_fd=place.folder)
                with os.fdopen(descriptor, "wb") as handle:
                    handle.write(content)
                    handle.flush()
                    os.fchmod(handle.fileno(), mode)
                    selinux_label.keep(_label_of(place), handle.fileno())
                    os.fsync(handle.fileno())
        except FileProblem:
            self._give_up()
            raise

    def finish(self) -> None:
        """Rename everything prepared to its target.

        :raises FileProblem: at the first rename that fails; what was renamed before stays.
        """
        while self._ready:
            target, temporary = self._ready[0]
            try:
                with reported("write", target), self._place_of(target, False) as place:
                    _refuse_to_replace(place, self._shared)
                    os.rename(temporary, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
                    self._ready.pop(0)
                    _sync(place.folder)
            except FileProblem:
                self._give_up()
                raise

    def _place_of(self, path: str, through_link: bool) -> contextlib.AbstractContextManager[folders.Place]:
        return folders.place_of(path, owned=not self._shared, make=0o755, through_link=through_link)

    def _temporary(self, place: folders.Place) -> str:
        if self._shared:
            return ".%s.%s%s" % (place.name, os.urandom(8).hex(), TEMPORARY_SUFFIX)
        name = place.name + TEMPORARY_SUFFIX
        _unlink_if_there(place.folder, name)
        return name

    def _give_up(self) -> None:
        for target, temporary in self._ready:
            # What cannot be removed now is removed by the next run.
            with contextlib.suppress(OSError, folders.Untrusted), self._place_of(target, False) as place:
                _unlink_if_there(place.folder, temporary)
        self._ready = []


def write(path: str, content: bytes, mode: int, *, through_link: bool) -> None:
    """Put ``content`` at ``path`` in one step: see :class:`Writes`.

    :raises FileProblem: if it cannot be written.
    """
    writes = Writes()
    writes.add(path, content, mode, through_link=through_link)
    writes.finish()


def remove(path: str, *, through_link: bool) -> bool:
    """Remove the file at ``path``; whether there was one.

    :param through_link: whether the file that a symbolic link there leads to goes as well, before the link: the other
        half of what :meth:`Writes.add` does. It goes only if that would have written it.
    :raises FileProblem: if it cannot be removed.
    """
    try:
        with _place_to("remove", path, owned=False) as place:
            status = place.status()
            if status is None:
                return False
            if through_link and stat.S_ISLNK(status.st_mode):
                _remove_what_it_leads_to(path)
            os.unlink(place.name, dir_fd=place.folder)
            _sync(place.folder)
            return True
    except _NOT_THERE:
        return False


def _remove_what_it_leads_to(link: str) -> None:
    elsewhere = contextlib.suppress(*_NOT_THERE, folders.Untrusted)
    with elsewhere, folders.place_of(link, owned=True, through_link=True) as target:
        status = target.status()
        if status is not None and stat.S_ISREG(status.st_mode):
            os.unlink(target.name, dir_fd=target.folder)
            _sync(target.folder)


def remove_empty_directory(path: str) -> None:
    """Remove ``path`` when it is an empty folder; anything else is left."""
    with contextlib.suppress(OSError, folders.Untrusted), folders.place_of(path, owned=False) as place:
        os.rmdir(place.name, dir_fd=place.folder)


def remove_tree(path: str) -> None:
    """Remove a folder of the collection's own with everything in it, without following links out of it.

    It disappears under its name in one step, so that what a crash leaves is a leftover and not half a folder.

    :raises FileProblem: if something of it cannot be removed.
    """
    with contextlib.suppress(*_NOT_THERE), _place_to("remove", path, owned=False) as place:
        status = place.status()
        if status is None:
            return
        if stat.S_ISLNK(status.st_mode):
            with folders.opened(path, owned=True) as folder:
                _empty(folder)
        going = place.name + TEMPORARY_SUFFIX
        _remove_below(place.folder, going)
        os.rename(place.name, going, src_dir_fd=place.folder, dst_dir_fd=place.folder)
        _remove_below(place.folder, going)


def remove_leftovers(path: str) -> None:
    """Remove what writes and removals that died have left in the folder ``path``. Only for who knows that none is under
    way.

    :raises FileProblem: if one cannot be removed: it may hold a secret.
    """
    elsewhere = contextlib.suppress(*_NOT_THERE, folders.Untrusted)
    with reported("remove what an earlier run left in", path), elsewhere, folders.opened(path, owned=False) as folder:
        for name in _names_in(folder):
            if name.endswith(TEMPORARY_SUFFIX):
                _remove_below(folder, name)


def _names_in(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _empty(folder: int) -> None:
    for name in _names_in(folder):
        _remove_below(folder, name)


def _remove_below(folder: int, name: str) -> None:
    """Remove ``name`` in an opened folder, and what it holds if it is a folder itself."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=folder)
        return
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        _empty(descriptor)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=folder)


def sync_directory(path: str) -> None:
    """Make a rename in ``path`` last through a power cut, if the file system can."""
    with contextlib.suppress(OSError, folders.Untrusted), folders.opened(path, owned=False) as folder:
        _sync(folder)


def _sync(folder: int) -> None:
    try:
        descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        # Some file systems refuse to sync a folder; the rename itself has happened.
        pass
    finally:
        os.close(descriptor)


def _unlink_if_there(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
