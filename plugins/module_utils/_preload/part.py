# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive while it arrives: appended to block by block, and believed only as far as its digests go.

Nothing is written down about progress. What a crash or a lost connection left is read again and compared with the
digests of its blocks; the transfer continues after the last byte that can be right.
"""

from __future__ import annotations

import hashlib
import os
from io import FileIO

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import reported

from .archive import BLOCK, Archive, digest_of

_PIECE = 1 << 20
_OPEN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class WrongContent(Exception):
    """What came is not what the digests say. ``offset`` is where the transfer has to continue."""

    def __init__(self, archive: Archive, offset: int) -> None:
        self.offset = offset
        super().__init__(
            "%s: the bytes from %d on do not have the digest that the controller has of them: they were damaged on the "
            "way, or on this node's disk" % (archive.file, offset)
        )


def length(path: str) -> int:
    """Bytes that have arrived, right or wrong; 0 without any."""
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0


def verified(path: str, archive: Archive) -> int:
    """How much has arrived and can be right; what cannot is cut off. The end of the last block, if that is not
    complete, is proven when it is.

    :raises FileProblem: if the disk does not read or write.
    """
    with reported("read", path):
        try:
            handle = _opened(path)
        except FileNotFoundError:
            return 0
        with handle:
            size = min(os.fstat(handle.fileno()).st_size, archive.size)
            right = _right(handle, archive, 0, size)
            if right != os.fstat(handle.fileno()).st_size:
                os.ftruncate(handle.fileno(), right)
                os.fsync(handle.fileno())
            return right


def append(path: str, archive: Archive, offset: int, content: bytes) -> int:
    """Add what comes next, and keep it over a loss of power; returns how much there is now.

    :raises WrongContent: if a block is complete and wrong, or this is not what comes next.
    :raises FileProblem: if it cannot be written.
    """
    with reported("write", path), _opened(path, os.O_CREAT) as handle:
        descriptor = handle.fileno()
        there = os.fstat(descriptor).st_size
        if there != offset or offset + len(content) > archive.size:
            raise WrongContent(archive, min(there, archive.size))
        os.lseek(descriptor, offset, os.SEEK_SET)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
        now = offset + len(content)
        right = _right(handle, archive, offset // BLOCK, now)
        if right != now:
            os.ftruncate(descriptor, right)
            os.fsync(descriptor)
            raise WrongContent(archive, right)
        return now


def check(path: str, archive: Archive) -> None:
    """Compare the whole file with the archive's digest; a wrong one is removed.

    :raises WrongContent: if it has another.
    :raises FileProblem: if it cannot be read.
    """
    if sha256_of(path) != archive.sha256:
        with reported("remove", path):
            os.unlink(path)
        raise WrongContent(archive, 0)


def sha256_of(path: str) -> str:
    """The digest of a file, "" if there is none.

    :raises FileProblem: if it cannot be read.
    """
    found = hashlib.sha256()
    with reported("read", path):
        try:
            handle = os.fdopen(os.open(path, _OPEN | os.O_RDONLY), "rb", buffering=0)
        except FileNotFoundError:
            return ""
        with handle:
            for piece in iter(lambda: handle.read(_PIECE), b""):
                found.update(piece)
    return found.hexdigest()


def _opened(path: str, more: int = 0) -> FileIO:
    return os.fdopen(os.open(path, _OPEN | os.O_RDWR | more, 0o600), "r+b", buffering=0)


def _right(handle: FileIO, archive: Archive, first: int, size: int) -> int:
    """Up to where the blocks from ``first`` on have their digests, an incomplete one at the end included."""
    for number in range(first, len(archive.blocks)):
        begin = number * BLOCK
        end = min(begin + BLOCK, archive.size)
        if end > size:
            return size
        if digest_of(_read(handle, begin, end - begin)) != archive.blocks[number]:
            return begin
    return min(size, archive.size)


def _read(handle: FileIO, begin: int, count: int) -> bytes:
    os.lseek(handle.fileno(), begin, os.SEEK_SET)
    found = bytearray()
    while len(found) < count:
        piece = os.read(handle.fileno(), count - len(found))
        if not piece:
            break
        found += piece
    return bytes(found)
