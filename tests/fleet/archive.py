# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tar archive in memory: how files get into a container before it boots."""

from __future__ import annotations

import io
import tarfile
import time
from pathlib import Path


class Archive:
    """Files and links below a container's root; folders on the way are made 0755 unless asked otherwise."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w")  # noqa: SIM115
        self._folders: set[str] = set()

    def _add(self, item: tarfile.TarInfo, data: bytes = b"") -> None:
        item.mtime = int(time.time())
        self._tar.addfile(item, io.BytesIO(data))

    def _parents(self, path: str) -> None:
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            self.folder("/".join(parts[:depth]))

    def folder(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        if path in self._folders:
            return
        self._parents(path)
        self._folders.add(path)
        item = tarfile.TarInfo(path)
        item.type, item.mode, item.uid, item.gid = tarfile.DIRTYPE, mode, owner, owner
        self._add(item)

    def file(self, path: str, content: str | bytes, mode: int = 0o644, owner: int = 0) -> None:
        self._parents(path)
        data = content.encode() if isinstance(content, str) else content
        item = tarfile.TarInfo(path)
        item.size, item.mode, item.uid, item.gid = len(data), mode, owner, owner
        self._add(item, data)

    def link(self, path: str, target: str) -> None:
        self._parents(path)
        item = tarfile.TarInfo(path)
        item.type, item.linkname, item.mode = tarfile.SYMTYPE, target, 0o777
        self._add(item)

    def tree(self, source: Path, path: str, suffix: str = "") -> None:
        """Everything below ``source`` whose name ends in ``suffix``, with its modes."""
        for found in sorted(source.rglob("*")):
            target = "%s/%s" % (path, found.relative_to(source))
            if found.is_symlink():
                self.link(target, str(found.readlink()))
            elif found.is_file() and found.name.endswith(suffix):
                self.file(target, found.read_bytes(), found.stat().st_mode & 0o777)

    def content(self) -> bytes:
        self._tar.close()
        return up_to_its_end(self._buffer.getvalue())


def up_to_its_end(content: bytes) -> bytes:
    """An archive without what it is filled up with after its end mark. ``podman cp`` does not read that, and now and
    then cannot write it either: "passing bulk input to subprocess: broken pipe"."""
    with tarfile.open(fileobj=io.BytesIO(content)) as found:
        last = found.getmembers()[-1]
    blocks = -(-last.size // tarfile.BLOCKSIZE) + 2
    return content[: last.offset_data + blocks * tarfile.BLOCKSIZE]
