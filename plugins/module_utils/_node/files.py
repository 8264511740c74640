# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the node: read, written whole or not at all, removed, never wider than asked."""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

TEMPORARY_SUFFIX = ".k3sfleet-new"
"""Ends the name of a file that is being written. A fixed name per target: what a crash leaves behind is
overwritten by the next run instead of piling up, and :func:`write` never follows what lies there."""


class FileState(NamedTuple):
    """What lies at a path: ``content`` is None when nothing does."""

    content: bytes | None
    mode: int
    uid: int
    gid: int


ABSENT = FileState(None, 0, 0, 0)


class FileProblem(Exception):
    """A file could not be read or written; the text names the path and the reason, never the content."""


def _problem(verb: str, path: str, error: OSError) -> FileProblem:
    hint = {
        errno.ENOSPC: "; free some space on that file system",
        errno.EROFS: "; the file system is mounted read-only",
        errno.EACCES: "; the module has to run as root (become: true)",
        errno.EPERM: "; the module has to run as root (become: true), and the file must not be immutable",
    }.get(error.errno or 0, "")
    return FileProblem("cannot %s %s: %s%s" % (verb, path, os.strerror(error.errno or errno.EIO), hint))


def read(path: str) -> FileState:
    """What lies at ``path``, followed through symbolic links.

    :raises FileProblem: when something is there that is not a readable regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return ABSENT
    except NotADirectoryError:
        return ABSENT
    except OSError as error:
        raise _problem("read", path, error) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise FileProblem("cannot read %s: it is %s; move it out of the way" % (path, kind))
    with os.fdopen(descriptor, "rb") as handle:
        try:
            content = handle.read()
        except OSError as error:
            raise _problem("read", path, error) from error
    return FileState(content, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def matches(path: str, content: bytes, mode: int) -> bool:
    """Whether ``path`` already holds ``content``, owned by root with exactly ``mode``."""
    state = read(path)
    return state.content == content and state.mode == mode and state.uid == os.geteuid()


def make_directory(path: str, mode: int) -> None:
    """Make ``path`` and its parents. An existing folder is left as it is, but for bits wider than ``mode``
    when it is the last one and belongs to the collection (its callers pass only such folders or parents
    that K3s' installer makes with 0755)."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent and not os.path.isdir(parent):
        make_directory(parent, 0o755)
    try:
        os.mkdir(path, mode)
        os.chmod(path, mode)
    except FileExistsError:
        return
    except OSError as error:
        raise _problem("create the folder", path, error) from error


class Writes:
    """Several files to put in place together.

    :meth:`add` writes a file's content beside its target, :meth:`finish` renames them all, in the order in which
    they were added. What can fail for want of space or rights fails before the first target is touched, and a reader
    sees each file as it was or as it will be, after a crash too.
    """

    def __init__(self) -> None:
        self._ready: list[tuple[str, str]] = []

    def add(self, path: str, content: bytes, mode: int) -> None:
        """Prepare ``content`` for ``path``. A symbolic link there is written through, as K3s reads through it.

        :raises FileProblem: when it cannot be written; everything prepared so far has been removed again then.
        """
        target = os.path.realpath(path) if os.path.islink(path) else path
        temporary = target + TEMPORARY_SUFFIX
        try:
            make_directory(os.path.dirname(target), 0o755)
            _remove_if_there(temporary)
            self._ready.append((temporary, target))
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            descriptor = os.open(temporary, flags, 0o600)
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(content)
                handle.flush()
                os.fchmod(handle.fileno(), mode)
                os.fsync(handle.fileno())
        except (OSError, FileProblem) as error:
            self._give_up()
            raise error if isinstance(error, FileProblem) else _problem("write", path, error) from error

    def finish(self) -> None:
        """Rename everything prepared to its target.

        :raises FileProblem: at the first rename that fails; what was renamed before stays.
        """
        while self._ready:
            temporary, target = self._ready[0]
            try:
                os.rename(temporary, target)
            except OSError as error:
                self._give_up()
                raise _problem("write", target, error) from error
            self._ready.pop(0)
            sync_directory(os.path.dirname(target))

    def _give_up(self) -> None:
        for temporary, _target in self._ready:
            try:
                _remove_if_there(temporary)
            except OSError:
                # The next run overwrites it.
                continue
        self._ready = []


def write(path: str, content: bytes, mode: int) -> None:
    """Put ``content`` at ``path`` in one step: see :class:`Writes`.

    :raises FileProblem: when it cannot be written.
    """
    writes = Writes()
    writes.add(path, content, mode)
    writes.finish()


def remove(path: str) -> bool:
    """Remove the file at ``path``; whether there was one."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _problem("remove", path, error) from error
    sync_directory(os.path.dirname(path))
    return True


def remove_empty_directory(path: str) -> None:
    """Remove ``path`` when it is an empty folder; anything else is left."""
    try:
        os.rmdir(path)
    except OSError:
        return


def remove_tree(path: str) -> None:
    """Remove a folder of the collection's own with everything in it, without following links out of it."""
    try:
        with os.scandir(path) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    remove_tree(entry.path)
                else:
                    os.unlink(entry.path)
        os.rmdir(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _problem("remove", path, error) from error


def sync_directory(path: str) -> None:
    """Make a rename in ``path`` last through a power cut, where the file system can."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        # Some file systems refuse to sync a folder; the rename itself has happened.
        pass
    finally:
        os.close(descriptor)


def _remove_if_there(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
