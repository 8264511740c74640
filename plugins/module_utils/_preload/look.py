# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the wanted archives a node has already."""

from __future__ import annotations

import os
import stat
from typing import Callable, Iterable, Mapping, NamedTuple

from . import containerd, part
from .archive import EXTENSIONS, Archive
from .places import Brought, Ledger, Places


class Found(NamedTuple):
    """What there is of one wanted archive.

    :ivar path: where it lies in K3s' folder; "" if it is missing.
    :ivar theirs: it is the operator's own file, with the same content. It is used, and never touched.
    :ivar have: bytes that have arrived of one that is missing, right or wrong.
    """

    archive: Archive
    path: str
    theirs: bool
    have: int


class NameTaken(Exception):
    """A file of somebody else's has the name that an archive needs."""


def look(places: Places, ledger: Ledger, wanted: Iterable[Archive]) -> list[Found]:
    """Compare the wanted archives with what is in K3s' folder.

    :raises NameTaken: if a file there has the name of an archive and other content, and is not the collection's.
    :raises FileProblem: if a file cannot be read.
    """
    theirs = _theirs(places, ledger)
    return [_of(places, ledger, archive, theirs) for archive in wanted]


def _of(places: Places, ledger: Ledger, archive: Archive, theirs: Mapping[str, int]) -> Found:
    path = places.placed(archive.file)
    entry = ledger.files.get(archive.file)
    if entry is not None and is_unchanged(path, entry) and entry.sha256 == archive.sha256:
        return Found(archive, path, False, archive.size)
    for file, size in theirs.items():
        # Only what has the same size is read: these files can have gigabytes.
        if size == archive.size and part.sha256_of(os.path.join(places.images, file)) == archive.sha256:
            return Found(archive, os.path.join(places.images, file), True, archive.size)
    if archive.file in theirs:
        raise NameTaken(
            "%s is not from this collection and has other content than the archive that should have its name. Move it "
            "away, or give the archive another name on the controller" % path
        )
    return Found(archive, "", False, part.length(places.part(archive.sha256)))


def is_unchanged(path: str, entry: Brought) -> bool:
    """Whether a file is the one that the collection has brought; it is read only if it looks touched.

    :raises FileProblem: if it cannot be read.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode) or found.st_size != entry.size:
        return False
    return found.st_mtime_ns == entry.mtime_ns or part.sha256_of(path) == entry.sha256


def _theirs(places: Places, ledger: Ledger) -> dict[str, int]:
    """Archives that the operator has put there, links to archives included, with their sizes."""
    found = {}
    for file in _names(places.images):
        if file in ledger.files or not file.lower().endswith(EXTENSIONS):
            continue
        try:
            status = os.stat(os.path.join(places.images, file))
        except OSError:
            # A link that leads nowhere, which K3s does not import either.
            continue
        if stat.S_ISREG(status.st_mode):
            found[file] = status.st_size
    return found


def are_foreign(places: Places, ledger: Ledger) -> bool:
    """Whether there is an archive that is not the collection's. Nobody knows which images it needs."""
    return bool(_theirs(places, ledger))


def not_imported(wanted: Iterable[Archive], images: Callable[[], Mapping[str, containerd.Image]]) -> list[Archive]:
    """Those of which an image is not in containerd, or not pinned.

    :param images: asked only if something is wanted.
    """
    archives = list(wanted)
    if not archives:
        return []
    known = images()
    return [
        archive for archive in archives
        if not all(name in known and known[name].pinned for name in archive.images)
    ]  # fmt: skip


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
