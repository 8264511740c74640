# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes to a node next: parcels of pieces of archives, cut so that little is lost if the connection breaks.

A parcel holds pieces of as many archives as fit, since each costs two calls: forty small images go in one.
"""

from __future__ import annotations

import os
from typing import IO, Iterable, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.archive import Archive

from .catalogue import Stored

SMALLEST = 64 << 10
_COPY = 1 << 20


class Piece(NamedTuple):
    """The next ``length`` bytes of a parcel belong to this archive, from ``offset`` on."""

    archive: Archive
    offset: int
    length: int

    @property
    def said(self) -> list[object]:
        return [self.archive.sha256, self.offset, self.length]


def size_of(chunk_size: int, bandwidth_limit: int, interval: int) -> int:
    """Bytes of a parcel.

    :param chunk_size: MiB, at most.
    :param bandwidth_limit: kB per second; a parcel takes no longer than ``interval`` seconds then, so that the limit
        holds for a time that people notice, and progress is shown as often.
    """
    size = max(1, chunk_size) << 20
    if bandwidth_limit > 0:
        size = min(size, max(SMALLEST, bandwidth_limit * 1000 * max(1, interval)))
    return size


def next_parcel(archives: Iterable[Archive], have: Mapping[str, int], size: int) -> list[Piece]:
    """The pieces of the next parcel; empty if everything has arrived."""
    pieces = []
    left = size
    for archive in archives:
        begin = have.get(archive.sha256, 0)
        length = min(archive.size - begin, left)
        if length > 0:
            pieces.append(Piece(archive, begin, length))
            left -= length
        if left <= 0:
            break
    return pieces


def write(out: IO[bytes], pieces: Iterable[Piece], paths: Mapping[str, str]) -> int:
    """Write a parcel; returns its bytes.

    :param paths: where the controller has the archives, by digest.
    :raises OSError: if an archive cannot be read, or has become shorter.
    """
    count = 0
    for piece in pieces:
        path = paths[piece.archive.sha256]
        with open(path, "rb") as source:
            source.seek(piece.offset)
            left = piece.length
            while left:
                content = source.read(min(_COPY, left))
                if not content:
                    raise OSError(None, "it has become shorter since it was read", path)
                out.write(content)
                left -= len(content)
                count += len(content)
    return count


def paths_of(stored: Iterable[Stored]) -> dict[str, str]:
    """Where the controller has each archive, by digest."""
    return {item.archive.sha256: os.path.abspath(item.path) for item in stored}
