# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing archives in: room for them, the bytes that have arrived, and the rename into K3s' folder."""

from __future__ import annotations

import contextlib
import os
from typing import Callable, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import (
    regular_only,
    reported,
    sync_directory,
)

from . import part
from .archive import Archive
from .places import Brought, Ledger, Places

_SPARE = 256 << 20
"""Bytes that stay free: K3s' own files grow too, and a full disk stops its datastore."""


class NoRoom(Exception):
    """The archives do not fit; the text says how much is missing and where."""


class Piece(NamedTuple):
    """A part of an archive in a parcel: the next ``length`` bytes belong to it, from its ``offset`` on."""

    sha256: str
    offset: int
    length: int


def check_room(places: Places, archives: Iterable[Archive], agent_dir: str) -> None:
    """Refuse to begin if the archives, and their images in containerd, do not fit.

    An image needs about as much in containerd as in the archive, since its layers stay compressed there. What it is
    unpacked to when a pod starts is not counted: a pull needs that as well.

    :raises NoRoom: if they do not.
    """
    wanted = list(archives)
    arriving = sum(archive.size - min(part.length(places.part(archive.sha256)), archive.size) for archive in wanted)
    in_containerd = sum(archive.size for archive in wanted)
    needs: dict[int, tuple[str, int]] = {}
    for folder, count in ((places.incoming, arriving), (os.path.join(agent_dir, "containerd"), in_containerd)):
        there = _existing(folder)
        device = os.stat(there).st_dev
        needs[device] = (there, needs.get(device, ("", 0))[1] + count)
    for folder, count in needs.values():
        found = os.statvfs(folder)
        free = found.f_bavail * found.f_frsize
        if count and count + _SPARE > free:
            raise NoRoom(
                "the file system of %s has %d MB free, and %d MB are needed: %d MB for archives and images, and %d MB "
                "that stay free. Make room there, or bring fewer images"
                % (folder, free // 10**6, (count + _SPARE) // 10**6, count // 10**6, _SPARE // 10**6)
            )


def _existing(folder: str) -> str:
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def receive(places: Places, archives: Mapping[str, Archive], pieces: Sequence[Piece], parcel: str) -> dict[str, int]:
    """Append what a parcel holds to the archives that it belongs to; returns how much there is of each.

    :param archives: by their digests, with those of their blocks.
    :param parcel: the path of a file with all pieces, one after the other.
    :raises WrongContent: for the first piece that is not what it should be. Pieces before it are kept.
    :raises FileProblem: if something cannot be read or written.
    """
    have = {}
    with reported("read", parcel), open(parcel, "rb", opener=regular_only) as handle:
        for piece in pieces:
            archive = archives[piece.sha256]
            content = handle.read(piece.length)
            if len(content) != piece.length:
                raise part.WrongContent(archive, piece.offset)
            have[piece.sha256] = part.append(places.part(piece.sha256), archive, piece.offset, content)
    return have


def verify(places: Places, archives: Iterable[Archive]) -> dict[str, int]:
    """How much of each archive has arrived and is right; see :func:`part.verified`."""
    return {archive.sha256: part.verified(places.part(archive.sha256), archive) for archive in archives}


def place(
    places: Places, ledger: Ledger, archives: Iterable[Archive], had: Callable[[], Iterable[str] | None]
) -> list[Archive]:
    """Check the archives that are complete and rename them into K3s' folder; returns those.

    :param had: names of images that containerd has now; None if it does not say, so that no image of these archives
        will ever be removed.
    :raises WrongContent: if one has another digest. It is removed, and comes anew.
    :raises FileProblem: if something cannot be written.
    """
    complete = [item for item in archives if part.length(places.part(item.sha256)) == item.size]
    for archive in complete:
        part.check(places.part(archive.sha256), archive)
    if not complete:
        return []
    names = had()
    there = None if names is None else set(names)
    for archive in complete:
        status = os.lstat(places.part(archive.sha256))
        known = ledger.files.get(archive.file)
        # An archive that comes again has its own images already; what was there before the first time counts.
        before = known.before if known else tuple(name for name in archive.images if there is None or name in there)
        ledger.files[archive.file] = Brought(
            archive.sha256, archive.size, status.st_mtime_ns, archive.images, before
        )  # fmt: skip
    ledger.keep()
    for archive in complete:
        target = places.placed(archive.file)
        with reported("write", target):
            os.rename(places.part(archive.sha256), target)
    sync_directory(places.images)
    return complete


def take_out(places: Places, archives: Iterable[Archive]) -> None:
    """Move archives out of K3s' folder, to be brought in again: K3s imports a file that it knows only if it was gone.

    :raises FileProblem: if one cannot be moved.
    """
    for archive in archives:
        with reported("move", places.placed(archive.file)), contextlib.suppress(FileNotFoundError):
            os.rename(places.placed(archive.file), places.part(archive.sha256))
    sync_directory(places.images)


def clear(places: Places, keep: Iterable[Archive]) -> None:
    """Remove what has arrived of archives that nobody wants any more."""
    wanted = {os.path.basename(places.part(archive.sha256)) for archive in keep}
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(places.incoming):
            if name.endswith(".part") and name not in wanted:
                os.unlink(os.path.join(places.incoming, name))
