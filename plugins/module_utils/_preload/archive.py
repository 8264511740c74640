# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive of images, as the controller describes it to a node: checked before a path is made of it."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Mapping, NamedTuple, Sequence

BLOCK = 4 << 20
"""Bytes of a block. Each has a digest, so that a node can tell how much of a transfer that was cut off is right."""

PREFIX = "k3sfleet-"
"""Begins the name of every archive that the collection puts into K3s' folder."""

EXTENSIONS = (".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.bz2", ".tbz", ".tar.lz4", ".tar")
"""What K3s reads. Source: rancher/wharfie ``pkg/tarfile/tarfile.go``, ``SupportedExtensions``."""

_FILE = re.compile(r"k3sfleet-[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class ArchiveProblem(ValueError):
    """A description that no node may act on."""


class Archive(NamedTuple):
    """One archive.

    :ivar file: its name in K3s' folder. It holds a part of the digest, so that other content has another name: K3s
        imports a file again only if its size differs and it is newer (``pkg/agent/containerd/watcher.go``).
    :ivar sha256: its digest, in hexadecimal.
    :ivar size: its bytes.
    :ivar images: the full names of the images in it.
    :ivar blocks: the digests of its blocks of :data:`BLOCK` bytes; empty if it only has to be looked at.
    """

    file: str
    sha256: str
    size: int
    images: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()

    def as_dict(self, blocks: bool = False) -> dict[str, Any]:
        """For the way to the node.

        :param blocks: whether the digests of its blocks go too; there are many of them.
        """
        said = self._asdict()
        return {**said, "images": list(self.images), "blocks": list(self.blocks) if blocks else []}


def archive_of(said: Mapping[str, Any]) -> Archive:
    """What :meth:`Archive.as_dict` made.

    :raises ArchiveProblem: if it could lead out of K3s' folder, or cannot be checked.
    """
    try:
        archive = Archive(
            str(said["file"]), str(said["sha256"]), int(said["size"]),
            tuple(str(image) for image in said["images"]), tuple(str(block) for block in said.get("blocks") or ()),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise ArchiveProblem("this is no description of an archive: %r is missing or odd" % str(error)) from error
    if not _FILE.fullmatch(archive.file) or extension_of(archive.file) == "":
        raise ArchiveProblem("%.90r is not the name of an archive that K3s imports" % archive.file)
    if archive.size <= 0 or not all(_DIGEST.fullmatch(digest) for digest in (archive.sha256, *archive.blocks)):
        raise ArchiveProblem("%s: its size or digest is none" % archive.file)
    if archive.blocks and len(archive.blocks) != -(-archive.size // BLOCK):
        raise ArchiveProblem("%s: it has %d digests of blocks for %d bytes" % (
            archive.file, len(archive.blocks), archive.size))  # fmt: skip
    return archive


def archives_of(said: Sequence[Mapping[str, Any]]) -> list[Archive]:
    """Several of them, each once.

    :raises ArchiveProblem: if one cannot be used.
    """
    return list({archive.file: archive for archive in map(archive_of, said)}.values())


def extension_of(name: str) -> str:
    """The part of a file's name by which K3s knows how to read it, "" if it does not read it."""
    return next((extension for extension in EXTENSIONS if name.lower().endswith(extension)), "")


def file_name(stem: str, sha256: str, extension: str) -> str:
    """The name of an archive in K3s' folder: ``k3sfleet-nginx-1.29.0123456789ab.tar.gz``."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "images"
    return "%s%s.%s%s" % (PREFIX, plain[:100].rstrip("-._"), sha256[:12], extension)


def digest_of(content: bytes) -> str:
    """Its SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
