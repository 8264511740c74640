# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tarballs: K3s' airgap images (``docker save`` of one platform) and layouts that an export packed."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from typing import Any, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

_WORK = "k3sfleet-mirror-work-"
_ABANDONED = 86400.0


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
        """Its path, made where it is not there yet.

        :raises ArchiveProblem: where somebody else has made it.
        """
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        found = os.lstat(self.path)
        if found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise ArchiveProblem("%s belongs to somebody else: take it away" % self.path)
        os.utime(self.path)
        return self.path

    def remove(self) -> None:
        """Take it away, and those that runs which were killed left a day ago or earlier."""
        shutil.rmtree(self.path, ignore_errors=True)
        for name in os.listdir(self._parent):
            path = os.path.join(self._parent, name)
            if name.startswith("%s%d-" % (_WORK, os.getuid())) and time.time() - os.lstat(path).st_mtime > _ABANDONED:
                shutil.rmtree(path, ignore_errors=True)


def plain_tar(path: str, workspace: Workspace) -> str:
    """The path of a tarball without compression: the given one, or an unpacked copy in the workspace.

    :raises ArchiveProblem: where it cannot be read, or zstd is missing for a ``.zst``.
    """
    try:
        with open(path, "rb") as handle:
            magic = handle.read(4)
    except OSError as error:
        raise ArchiveProblem("%s cannot be read: %s" % (path, error.strerror)) from error
    if magic[:2] != b"\x1f\x8b" and magic != b"\x28\xb5\x2f\xfd":
        return path
    target = os.path.join(workspace.folder(), "%s-%d.tar" % (os.path.basename(path), os.stat(path).st_mtime_ns))
    if os.path.exists(target):
        return target
    with open(target + ".new", "wb") as out:
        if magic[:2] == b"\x1f\x8b":
            try:
                with gzip.open(path) as packed:
                    shutil.copyfileobj(packed, out, 1 << 20)
            except (OSError, EOFError) as error:
                raise ArchiveProblem("%s cannot be unpacked: %s" % (path, error)) from error
        else:
            _unzstd(path, out)
    os.replace(target + ".new", target)
    return target


def _unzstd(path: str, out: Any) -> None:
    if not shutil.which("zstd"):
        raise ArchiveProblem("%s: zstd is missing on this machine: install the package zstd" % path)
    command = ["zstd", "--decompress", "--stdout", "--quiet", path]
    done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise ArchiveProblem("%s cannot be unpacked: %s" % (path, done.stderr.decode("utf-8", "replace").strip()))


def saved_images(tar: str, where: str) -> list[Saved] | None:
    """The images of a ``docker save`` tarball; None where it is another kind of tarball.

    :param tar: the tarball without compression.
    :param where: as the user named it.
    :raises ArchiveProblem: where it is damaged or names no image.
    """
    try:
        with tarfile.open(tar) as archive:
            try:
                handle = archive.extractfile("manifest.json")
            except KeyError:
                return None
            items = json.load(handle) if handle is not None else []
        found = [
            Saved(parse_image(name).text, name, "sha256:" + os.path.basename(item["Config"]).partition(".")[0])
            for item in items
            for name in item.get("RepoTags") or []
        ]
    except (OSError, EOFError, tarfile.TarError, ValueError, KeyError, TypeError, ImageError) as error:
        raise ArchiveProblem("%s cannot be read as an image tarball: %s" % (where, error)) from error
    if not found:
        raise ArchiveProblem("%s names no image" % where)
    return found


def unpack_layout(tar: str, workspace: Workspace, where: str) -> str:
    """Unpack the tar of an OCI layout into the workspace, once; returns its folder.

    :raises ArchiveProblem: where it holds anything but plain files and folders below itself.
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
        with tarfile.open(tar) as archive:
            for member in archive:
                name = os.path.normpath(member.name)
                if os.path.isabs(name) or name.startswith("..") or not (member.isfile() or member.isdir()):
                    raise ArchiveProblem("%s holds %r, which no OCI layout has" % (where, member.name))
                path = os.path.join(folder, name)
                if member.isdir():
                    os.makedirs(path, exist_ok=True)
                    continue
                os.makedirs(os.path.dirname(path), exist_ok=True)
                source = archive.extractfile(member)
                with open(path, "wb") as out:
                    shutil.copyfileobj(source, out, 1 << 20)  # type: ignore[arg-type]
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ArchiveProblem("%s cannot be unpacked: %s" % (where, error)) from error


def pack(folder: str, tar: str) -> None:
    """Pack a layout, its small files first so that they are found without reading all; atomic."""
    first = [name for name in ("oci-layout", "index.json", "k3sfleet-mirror.json") if
             os.path.exists(os.path.join(folder, name))]  # fmt: skip
    with tarfile.open(tar + ".new", "w") as archive:
        for name in [*first, *sorted(set(os.listdir(folder)) - set(first))]:
            archive.add(os.path.join(folder, name), name, filter=_nobody)
    os.replace(tar + ".new", tar)


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def packed_file(tar: str, name: str) -> bytes:
    """One small file of a packed layout, b"" where it has none."""
    try:
        with tarfile.open(tar) as archive:
            handle = archive.extractfile(name)
            return handle.read() if handle is not None else b""
    except (OSError, EOFError, KeyError, tarfile.TarError):
        return b""
