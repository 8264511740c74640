# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archives on the controller: which there are, with the digests of their blocks, so that each is read once."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from typing import Any, Iterator, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.layout import check_export, open_file
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import write
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.archive import (
    BLOCK,
    Archive,
    ArchiveProblem,
    archive_of,
    digest_of,
)

_CATALOGUE = "catalogue.json"
_LOCK = "lock"
STAGING = "staging"
_LARGEST = 64 << 20


class Stored(NamedTuple):
    """An archive and the path where the controller has it."""

    archive: Archive
    path: str


class Catalogue:
    """What is known of archives, by what they were made of. Used by one process of the run at a time.

    :ivar folder: for the archives that are made.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._entries: dict[str, dict[str, Any]] = {}

    @contextlib.contextmanager
    def opened(self) -> Iterator[Catalogue]:
        """While the block runs, no other process makes archives in this folder; the next one finds them made.

        :raises LayoutProblem: if the folder is somebody else's.
        :raises OSError: if it cannot be made.
        """
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        check_export(self.folder, "")
        lock = os.open(os.path.join(self.folder, _LOCK), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._read()
            yield self
        finally:
            os.close(lock)

    def peek(self) -> Catalogue:
        """The same without a lock and without making anything, for check mode."""
        if os.path.isdir(self.folder):
            check_export(self.folder, "")
            self._read()
        return self

    def find(self, source: str) -> Stored | None:
        """The archive that was made of this source, if it is there as it was made."""
        entry = self._entries.get(source)
        if entry is None:
            return None
        try:
            stored = Stored(archive_of(entry["archive"]), str(entry["path"]))
            return stored if stamp_of(stored.path) == entry["stamp"] else None
        except (ArchiveProblem, KeyError, TypeError, OSError):
            return None

    def enter(self, source: str, stored: Stored) -> Stored:
        """Remember an archive; what is remembered is on disk when this returns."""
        self._entries[source] = {
            "archive": stored.archive.as_dict(blocks=True), "path": stored.path, "stamp": stamp_of(stored.path),
        }  # fmt: skip
        said = json.dumps({"schema": 1, "archives": self._entries}, indent=1)
        write(os.path.join(self.folder, _CATALOGUE), said.encode("utf-8"), 0o600, through_link=False)
        return stored

    def staging(self) -> str:
        """A folder on the same file system for what is not complete yet."""
        path = os.path.join(self.folder, STAGING)
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path

    def _read(self) -> None:
        try:
            with open_file(os.path.join(self.folder, _CATALOGUE)) as handle:
                said = json.loads(handle.read(_LARGEST))
            self._entries = dict(said["archives"])
        except (OSError, ValueError, KeyError, TypeError):
            # It only saves time. Without one, every archive is made or read again.
            self._entries = {}


def stamp_of(path: str) -> list[int]:
    """By which a file is known to be the same.

    :raises OSError: if it is not there.
    """
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns]


def described(path: str, file_of: Any, images: list[str]) -> Archive:
    """Read a file once, for its digest and those of its blocks.

    :param file_of: from the digest to the name in K3s' folder.
    :raises OSError: if it cannot be read.
    """
    whole, blocks, size = hashlib.sha256(), [], 0
    with open_file(path) as handle:
        for block in iter(lambda: handle.read(BLOCK), b""):
            whole.update(block)
            blocks.append(digest_of(block))
            size += len(block)
    digest = whole.hexdigest()
    return Archive(file_of(digest), digest, size, tuple(images), tuple(blocks))
