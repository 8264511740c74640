# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One archive for each image of an export: an OCI layout in a tarball, as containerd imports it.

The same image makes the same bytes, whenever and wherever it is packed, so that a node does not get it again because
the controller is another one. Source: OCI image-spec ``image-layout.md``; containerd ``core/images/archive``.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
from typing import IO, Any, ContextManager, Iterator, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.layout import IMAGE_NAME, REFERENCE, Layout
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.archive import file_name

from .catalogue import Catalogue, Stored, described

_EXTENSIONS = {"none": ".tar", "gzip": ".tar.gz", "zstd": ".tar.zst"}
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class PackProblem(Exception):
    """An archive cannot be made; the text says why and what to do."""


def source_of(image: str, digest: str, compression: str) -> str:
    """By what an archive of an image is known in the catalogue."""
    return "image %s@%s %s" % (image, digest, compression)


def pack(catalogue: Catalogue, layout: Layout, image: str, compression: str) -> Stored:
    """Make the archive of one image; nothing of it is in the folder before it is complete.

    :raises PackProblem: if it cannot be packed.
    :raises RegistryFailure: if the layout is damaged.
    :raises OSError: if it cannot be written.
    """
    new = os.path.join(catalogue.staging(), "new")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as raw, _compressed(raw, compression) as out:
        _write(out, layout, image, layout.images[image])
    extension = _EXTENSIONS[compression]
    archive = described(new, lambda digest: file_name(image, digest, extension), [image])
    path = os.path.join(catalogue.folder, archive.file)
    os.replace(new, path)
    source = source_of(image, layout.images[image]["digest"], compression)
    return catalogue.enter(source, Stored(archive, path))


def _write(out: IO[bytes], layout: Layout, image: str, top: Mapping[str, Any]) -> None:
    index = {
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": top["mediaType"], "digest": top["digest"], "size": top["size"],
            "annotations": {REFERENCE: image, IMAGE_NAME: image},
        }],
    }  # fmt: skip
    parts = layout.parts(top["digest"], top["mediaType"])
    sizes = {top["digest"]: int(top["size"]), **{part.digest: part.size for part in parts.values()}}
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name, content in (("oci-layout", _LAYOUT), ("index.json", json.dumps(index, sort_keys=True).encode())):
            tar.addfile(_member(name, len(content)), io.BytesIO(content))
        for digest, size in sorted(sizes.items()):
            name = "blobs/sha256/" + digest.partition(":")[2]
            # Compared with its digest while it is read.
            tar.addfile(_member(name, size), _Pieces(layout.pieces(digest, size)))


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o644, 0
    return member


class _Pieces(io.RawIOBase):
    """A file to read from, made of what an iterator yields."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held = pieces, b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._held) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held += piece
        taken, self._held = (self._held, b"") if size < 0 else (self._held[:size], self._held[size:])
        return taken


def _compressed(raw: IO[bytes], compression: str) -> ContextManager[IO[bytes]]:
    if compression == "none":
        return contextlib.nullcontext(raw)
    if compression == "gzip":
        # Neither a time nor a name goes into its header.
        return gzip.GzipFile("", "wb", 6, raw, mtime=0)  # type: ignore[return-value]
    return _zstd(raw)


@contextlib.contextmanager
def _zstd(raw: IO[bytes]) -> Iterator[IO[bytes]]:
    """K3s reads windows of up to 32 MiB, far more than this level has: ``MaxDecoderMemory`` in rancher/wharfie."""
    if not shutil.which("zstd"):
        raise PackProblem("zstd is missing on the controller: install the package zstd, or set compression to gzip")
    command = ["zstd", "-10", "--threads=1", "--quiet", "--stdout"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=raw) as process:
        try:
            yield process.stdin  # type: ignore[misc]
            process.stdin.close()  # type: ignore[union-attr]
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise PackProblem("zstd ended with status %d: is the disk of the controller full?" % process.returncode)
