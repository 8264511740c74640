# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tarballs: K3s' airgap images (``docker save`` of one platform) and layouts that an export packed.

They come from outside, so they are read within limits: of the bytes that a packed one may become, of the files in it,
and of what is held in memory; what only seems to have content (sparse files) is refused.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import time
import zlib
from typing import Any, BinaryIO, Iterator, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import read_json
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

from .layout import STAGING, open_file, open_new
from .manifest import is_checkable

_WORK = "k3sfleet-mirror-work-"
_ABANDONED = 86400.0
_CHUNK = 1 << 20
_EXPANSION = 20
"""Times its size that a packed tarball may unpack to; images pack to a third or a fourth."""
_ALWAYS_ALLOWED = 1 << 30
_MOST_FILES = 100_000
_LISTING_LIMIT = 16 << 20
_LONGEST_READ = 16 << 20
_DAMAGE = (OSError, EOFError, ValueError, tarfile.TarError, RecursionError)
"""What reading a tarball that is none may raise; headers that announce headers end in a RecursionError."""


class ArchiveProblem(Exception):
    """A tarball cannot be used; the text names it and what to do."""


class Saved(NamedTuple):
    """One image of a ``docker save`` tarball: as it is called there, and the digest of its configuration."""

    image: str
    name: str
    config: str


class Workspace:
    """A folder of mode 0700 for what has been unpacked, kept over the calls of one task.

    :param token: the task's own; the folder of the same token is found again.
    """

    def __init__(self, token: str, parent: str = "") -> None:
        self._parent = parent or tempfile.gettempdir()
        self.path = os.path.join(self._parent, "%s%d-%s" % (_WORK, os.getuid(), token))

    def folder(self) -> str:
        """Its path, made if it is not there yet.

        :raises ArchiveProblem: if somebody else has made it.
        """
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        found = os.lstat(self.path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise ArchiveProblem("%s belongs to somebody else: take it away" % self.path)
        os.utime(self.path)
        return self.path

    def remove(self) -> None:
        """Take it away, and those that runs which were killed left a day ago or earlier."""
        shutil.rmtree(self.path, ignore_errors=True)
        for name in os.listdir(self._parent):
            path = os.path.join(self._parent, name)
            if name.startswith("%s%d-" % (_WORK, os.getuid())) and _is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return found.st_uid == os.getuid() and time.time() - found.st_mtime > _ABANDONED


def plain_tar(path: str, workspace: Workspace) -> str:
    """The path of a tarball without compression: the given one, or an unpacked copy in the workspace.

    :raises ArchiveProblem: if it cannot be read, unpacks to too much, or zstd is missing for a ``.zst``.
    """
    try:
        with open_file(path) as handle:
            magic = handle.read(4)
            found = os.fstat(handle.fileno())
    except OSError as error:
        raise ArchiveProblem("%s cannot be read: %s" % (path, error.strerror or error)) from error
    if magic[:2] != b"\x1f\x8b" and magic != b"\x28\xb5\x2f\xfd":
        return path
    target = os.path.join(workspace.folder(), "%s-%d.tar" % (os.path.basename(path), found.st_mtime_ns))
    if os.path.exists(target):
        return target
    new = target + ".new"
    if os.path.lexists(new):
        os.unlink(new)
    try:
        with open_new(new) as out:
            most = max(_ALWAYS_ALLOWED, _EXPANSION * found.st_size)
            if magic[:2] == b"\x1f\x8b":
                with open_file(path) as packed, gzip.GzipFile(fileobj=packed) as unpacked:
                    _copy(unpacked, out, most, path)
            else:
                _unzstd(path, out, most)
        os.replace(new, target)
    except (OSError, EOFError, zlib.error) as error:
        raise ArchiveProblem("%s cannot be unpacked: %s" % (path, error)) from error
    finally:
        if os.path.lexists(new):
            os.unlink(new)
    return target


def _copy(source: Any, out: BinaryIO, most: int, path: str) -> None:
    count = 0
    for piece in iter(lambda: source.read(_CHUNK), b""):
        count += len(piece)
        if count > most:
            raise ArchiveProblem(
                "%s unpacks to more than %d MB, %d times its size: no image does, it is damaged or made to fill this "
                "machine. Unpack it by hand if it is right" % (path, most // 1_000_000, _EXPANSION)
            )
        out.write(piece)


def _unzstd(path: str, out: BinaryIO, most: int) -> None:
    if not shutil.which("zstd"):
        raise ArchiveProblem("%s: zstd is missing on this machine: install the package zstd" % path)
    command = ["zstd", "--decompress", "--stdout", "--quiet", path]
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said) as process:
            try:
                _copy(process.stdout, out, most, path)
            except BaseException:
                process.kill()
                raise
        said.seek(0)
        if process.returncode:
            reason = said.read(500).decode("utf-8", "replace").strip()
            raise ArchiveProblem("%s cannot be unpacked: %s" % (path, reason))


def saved_images(tar: str, where: str) -> list[Saved] | None:
    """The images of a ``docker save`` tarball; None if it is another kind of tarball.

    :param tar: the tarball without compression.
    :param where: as the user named it.
    :raises ArchiveProblem: if it is damaged or names no image.
    """
    try:
        with _open(tar) as archive:
            content = None
            # To its end: skopeo reads all of it.
            for member in _members(archive, where):
                if os.path.normpath(member.name) == "manifest.json":
                    content = _small(archive, member)
        if content is None:
            return None
        found = [
            Saved(parse_image(name).text, name, _config(item["Config"]))
            for item in read_json(content)
            for name in item.get("RepoTags") or []
        ]
    except (*_DAMAGE, KeyError, TypeError, AttributeError, ImageError) as error:
        raise ArchiveProblem("%s cannot be read as an image tarball: %s" % (where, error)) from error
    if not found:
        raise ArchiveProblem("%s names no image" % where)
    return found


def _config(name: str) -> str:
    digest = "sha256:" + os.path.basename(name).partition(".")[0]
    if not is_checkable(digest):
        raise ValueError("%.90r names no configuration by its digest" % name)
    return digest


def unpack_layout(tar: str, workspace: Workspace, where: str) -> str:
    """Unpack the tar of an OCI layout into the workspace, once; returns its folder.

    :raises ArchiveProblem: if it holds anything but plain files and folders below itself.
    """
    folder = os.path.join(workspace.folder(), "%s-%d" % (os.path.basename(where), os.stat(tar).st_mtime_ns))
    if not os.path.exists(folder):
        unpack(tar, folder + ".new", where)
        os.rename(folder + ".new", folder)
    return folder


def unpack(tar: str, folder: str, where: str) -> None:
    """Unpack plain files into a new folder; see :func:`unpack_layout`."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o700)
    try:
        with _open(tar) as archive:
            for member in _members(archive, where):
                name = os.path.normpath(member.name)
                if os.path.isabs(name) or name.startswith("..") or not (member.isfile() or member.isdir()):
                    raise ArchiveProblem("%s holds %r, which no OCI layout has" % (where, member.name[:200]))
                path = os.path.join(folder, name)
                if member.isdir():
                    os.makedirs(path, exist_ok=True)
                    continue
                os.makedirs(os.path.dirname(path), exist_ok=True)
                source = archive.extractfile(member)
                if os.path.lexists(path):
                    os.unlink(path)
                with open_new(path) as out:
                    shutil.copyfileobj(source, out, _CHUNK)  # type: ignore[arg-type]
    except _DAMAGE as error:
        raise ArchiveProblem("%s cannot be unpacked: %.300s" % (where, error)) from error


class _Bounded:
    """A file of which nothing large is read at once: a tarball's own headers name how much of it they are."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_READ:
            raise tarfile.ReadError("one of its headers is larger than %d MiB" % (_LONGEST_READ >> 20))
        return self._handle.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        return self._handle.seek(position, whence)

    def tell(self) -> int:
        return self._handle.tell()


@contextlib.contextmanager
def _open(path: str) -> Iterator[tarfile.TarFile]:
    """A tarball without compression, to be read within limits."""
    with open_file(path) as handle:
        bounded: Any = _Bounded(handle)
        with tarfile.open(fileobj=bounded, mode="r:") as archive:
            yield archive


def _members(archive: tarfile.TarFile, where: str) -> Iterator[tarfile.TarInfo]:
    for number, member in enumerate(iter(archive.next, None), 1):
        # They are kept, with their headers, for lookups that are not made.
        archive.members = []  # type: ignore[attr-defined]
        if number > _MOST_FILES:
            raise ArchiveProblem("%s holds more than %d files, which no image does" % (where, _MOST_FILES))
        if member.size < 0:
            raise tarfile.ReadError("a file of a negative size")
        if member.issparse():
            raise ArchiveProblem(
                "%s holds %r as a sparse file, whose content is not in it: pack it again without --sparse"
                % (where, member.name[:200])
            )
        yield member


def _small(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > _LISTING_LIMIT:
        raise ValueError("its %s is larger than %d MiB" % (member.name, _LISTING_LIMIT >> 20))
    handle = archive.extractfile(member)
    return handle.read(_LISTING_LIMIT) if handle is not None else b""


def pack(folder: str, tar: str) -> None:
    """Pack a layout, its small files first so that they are found without reading all; atomic."""
    first = [name for name in ("oci-layout", "index.json", "k3sfleet-mirror.json") if
             os.path.exists(os.path.join(folder, name))]  # fmt: skip
    names = [*first, *sorted(set(os.listdir(folder)) - set(first) - {STAGING})]
    staging = os.path.join(folder, STAGING)
    os.makedirs(staging, mode=0o700, exist_ok=True)
    new = os.path.join(staging, "packed")
    if os.path.lexists(new):
        os.unlink(new)
    with open_new(new) as out, tarfile.open(fileobj=out, mode="w:") as archive:
        for name in names:
            archive.add(os.path.join(folder, name), name, filter=_nobody)
    os.replace(new, tar)


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def packed_file(tar: str, name: str) -> bytes:
    """One small file of a packed layout, b"" if it has none."""
    try:
        with _open(tar) as archive:
            for member in _members(archive, tar):
                if member.name == name:
                    return _small(archive, member)
    except _DAMAGE:
        return b""
    return b""
