# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OCI image layout on disk: what an export writes and an import reads, with a manifest of digests beside it.

The layout holds Docker's media types as well as OCI's, byte for byte. What is read of it may come from anywhere: every
file is read within limits and only if it is one, and counts only with the digest that is its name.
Source: OCI image-spec ``image-layout.md``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import threading
import uuid
from typing import Any, BinaryIO, Iterable, Iterator

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import read_json
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

from .failures import RegistryFailure
from .manifest import DEEPEST, MANIFEST_LIMIT, Descriptor, digest_of, document_of, is_checkable

REFERENCE = "org.opencontainers.image.ref.name"
IMAGE_NAME = "io.containerd.image.name"
MANIFEST_FILE = "k3sfleet-mirror.json"
STAGING = "staging"
"""The folder for what is not complete yet: whatever is written is written there first, and renamed."""
_CHUNK = 1 << 20
_LISTING_LIMIT = 16 << 20
"""Bytes of index.json and of an export's manifest: some 40,000 images."""


class LayoutProblem(Exception):
    """A folder is no usable OCI layout; the text names it and says why."""


class Layout:
    """One layout. ``images`` are descriptors by the image's normalised name, in order.

    :param create: to write into it, too; its folder is made if it is not there.
    """

    def __init__(self, root: str, create: bool = False) -> None:
        self.root = root
        self.images: dict[str, dict[str, Any]] = {}
        self._checked: set[str] = set()
        self._lock = threading.Lock()
        if create:
            os.makedirs(root, exist_ok=True)
            check_export(root, "")
            os.makedirs(os.path.join(root, "blobs", "sha256"), exist_ok=True)
            self._write_json("oci-layout", {"imageLayoutVersion": "1.0.0"})
        if not create or os.path.exists(os.path.join(root, "index.json")):
            self._read()

    def _read(self) -> None:
        try:
            described = read_json(_content(os.path.join(self.root, "index.json"), _LISTING_LIMIT))["manifests"]
            self.images = named(described)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LayoutProblem("%s is no OCI layout: cannot read its index.json: %s" % (self.root, error)) from error

    def blob(self, digest: str) -> str:
        """The path of a blob, there or not."""
        if not is_checkable(digest):
            raise RegistryFailure(
                "digest_mismatch", self.root, advice="%.90r is no digest that can be checked" % digest
            )
        return os.path.join(self.root, "blobs", "sha256", digest.partition(":")[2])

    def content(self, digest: str) -> bytes:
        """A manifest or an index, checked.

        :raises RegistryFailure: ``blob_missing`` or ``digest_mismatch``.
        """
        return b"".join(self.pieces(digest, limit=MANIFEST_LIMIT))

    def pieces(self, digest: str, size: int = -1, limit: int = -1) -> Iterator[bytes]:
        """A blob's content; its last piece comes only if all of it has the digest.

        :param size: in bytes, as whatever names the blob says; -1 if nothing does.
        :param limit: bytes that it may have; -1 for any number.
        :raises RegistryFailure: if it is not there or damaged; the text names the file.
        """
        path, found, held = self.blob(digest), hashlib.sha256(), b""
        try:
            with open_file(path) as handle:
                length = os.fstat(handle.fileno()).st_size
                if 0 <= size != length:
                    raise RegistryFailure(
                        "digest_mismatch", path, advice="it is damaged: it has %d bytes instead of %d" % (length, size)
                    )
                if 0 <= limit < length:
                    raise RegistryFailure("manifest_unsupported", path, advice="it is larger than any manifest")
                for piece in iter(lambda: handle.read(min(_CHUNK, max(0, length - handle.tell()))), b""):
                    found.update(piece)
                    if held:
                        yield held
                    held = piece
        except OSError as error:
            raise RegistryFailure(
                "blob_missing", path, advice="it cannot be read: %s" % (error.strerror or error)
            ) from error
        if "sha256:" + found.hexdigest() != digest:
            raise RegistryFailure("digest_mismatch", path, advice="it is damaged: its content has another digest")
        if held:
            yield held

    def check(self, digest: str, size: int = -1) -> None:
        """Read a blob once and compare its digest.

        :raises RegistryFailure: if it is not there or damaged; the text names the file.
        """
        with self._lock:
            if digest in self._checked:
                return
        for _piece in self.pieces(digest, size):
            pass
        with self._lock:
            self._checked.add(digest)

    def parts(self, digest: str, media_type: str, top: bytes = b"") -> dict[str, Descriptor]:
        """Everything that an image consists of, itself excluded, each part once.

        :raises RegistryFailure: if a manifest is not there, damaged, or cannot be understood.
        """
        found: dict[str, Descriptor] = {}
        self._collect(digest, media_type, top, found, 0)
        return found

    def _collect(self, digest: str, media_type: str, top: bytes, found: dict[str, Descriptor], depth: int) -> None:
        if depth > DEEPEST:
            raise RegistryFailure("manifest_unsupported", self.root, advice="its indexes are nested too deeply")
        _kind, parts = document_of(top or self.content(digest), media_type, self.root)
        for part in parts.manifests:
            if part.digest not in found:
                found[part.digest] = part
                self._collect(part.digest, part.media_type, b"", found, depth + 1)
        for part in parts.blobs:
            if not part.is_elsewhere:
                found.setdefault(part.digest, part)

    def check_image(self, digest: str, media_type: str, top: bytes = b"") -> int:
        """Check every blob of an image; returns their bytes together.

        :raises RegistryFailure: for the first that is missing or damaged.
        """
        if not top:
            self.check(digest)
        found = self.parts(digest, media_type, top)
        for part in found.values():
            self.check(part.digest, part.size)
        return sum(part.size for part in found.values())

    def absorb(self, folder: str) -> tuple[str, str]:
        """Take the image in that skopeo's ``dir:`` transport wrote; returns its digest and media type.

        Source: containers/image ``directory/directory_transport.go``: files are named by their digests.

        :raises RegistryFailure: if it is not as it says.
        """
        with open_file(os.path.join(folder, "manifest.json")) as handle:
            top = handle.read(MANIFEST_LIMIT + 1)
        media_type, parts = document_of(top, "", folder)
        for part in parts.blobs:
            with open_file(os.path.join(folder, part.digest.partition(":")[2])) as handle:
                self.add(part.digest, iter(lambda handle=handle: handle.read(_CHUNK), b""))  # type: ignore[misc]
        return self.put(top), media_type

    def add(self, digest: str, pieces: Iterable[bytes]) -> None:
        """Store a blob, if it has that digest.

        :raises RegistryFailure: if it has another.
        """
        found = hashlib.sha256()

        def counted() -> Iterator[bytes]:
            for piece in pieces:
                found.update(piece)
                yield piece
            if "sha256:" + found.hexdigest() != digest:
                raise RegistryFailure(
                    "digest_mismatch", self.root, advice="what came for %s is another content" % digest
                )

        self._write(self.blob(digest), counted())
        with self._lock:
            self._checked.add(digest)

    def put(self, content: bytes) -> str:
        """Store a manifest or an index; returns its digest."""
        digest = digest_of(content)
        self.add(digest, [content])
        return digest

    def name(self, image: str, digest: str, media_type: str) -> None:
        """Enter an image whose blobs are there into index.json, so that a run that is killed loses nothing."""
        with self._lock:
            self.images[image] = {
                "mediaType": media_type, "digest": digest, "size": os.path.getsize(self.blob(digest)),
                "annotations": {REFERENCE: image, IMAGE_NAME: image},
            }  # fmt: skip
            self._write_json("index.json", {"schemaVersion": 2, "manifests": list(self.images.values())})

    def has(self, image: str, digest: str) -> bool:
        """Whether an image is here with this digest and all its blobs have their size."""
        described = self.images.get(image)
        if described is None or described["digest"] != digest:
            return False
        try:
            parts = self.parts(digest, described["mediaType"])
            return all(os.path.getsize(self.blob(part.digest)) == part.size for part in parts.values())
        except (OSError, RegistryFailure):
            return False

    def write_manifest(self) -> None:
        """Write down which image has which digest, for the other side of the gap."""
        images = [
            {"image": name, "digest": item["digest"], "media_type": item["mediaType"]}
            for name, item in self.images.items()
        ]
        self._write_json(MANIFEST_FILE, {"schema": 1, "images": images})

    def read_manifest(self) -> dict[str, str]:
        """Image to digest, as the export wrote it down.

        :raises LayoutProblem: if there is no manifest, or it and the layout name different images.
        """
        path = os.path.join(self.root, MANIFEST_FILE)
        try:
            items = read_json(_content(path, _LISTING_LIMIT))["images"]
            found = {parse_image(item["image"]).text: str(item["digest"]) for item in items}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LayoutProblem(
                "%s cannot be read: %s. An export writes it last: was it interrupted, or is this another layout "
                "(give that with layouts)?" % (path, error)
            ) from error
        return found

    def _write_json(self, name: str, content: Any) -> None:
        self._write(os.path.join(self.root, name), [(json.dumps(content, indent=1) + "\n").encode("utf-8")])

    def _write(self, path: str, pieces: Iterable[bytes]) -> None:
        """Atomic: in the staging folder first, which nobody else can put anything into."""
        staging = os.path.join(self.root, STAGING)
        os.makedirs(staging, mode=0o700, exist_ok=True)
        new = os.path.join(staging, uuid.uuid4().hex)
        try:
            with open_new(new) as out:
                for piece in pieces:
                    out.write(piece)
            os.replace(new, path)
        except BaseException:
            if os.path.lexists(new):
                os.unlink(new)
            raise


def named(described: Any) -> dict[str, dict[str, Any]]:
    """The descriptors of an index.json by the full names in their annotations; those without one are left out.

    :raises ValueError: if it is no list of descriptors whose digests can be checked.
    """
    if not isinstance(described, list):
        raise ValueError("its manifests are no list")
    found = {}
    for item in described:
        annotations = (item.get("annotations") if isinstance(item, dict) else None) or {}
        name = isinstance(annotations, dict) and (annotations.get(IMAGE_NAME) or annotations.get(REFERENCE))
        if not isinstance(name, str) or not re.search("[/:]", name):
            continue
        try:
            text = parse_image(name).text
        except ImageError:
            continue
        if not is_checkable(item.get("digest")):
            raise ValueError("the digest of %s is %.90r, and only SHA-256 can be checked" % (text, item.get("digest")))
        kind = item.get("mediaType")
        found[text] = dict(item, mediaType=kind if isinstance(kind, str) else "")
    return found


def check_export(folder: str, tar: str) -> None:
    """An export is filled by one user: what another has put in its place is neither read nor written.

    :raises LayoutProblem: if the folder or the tarball is a link or somebody else's.
    """
    for path, kind in ((folder, stat.S_ISDIR), (tar, stat.S_ISREG)):
        try:
            found = os.lstat(path) if path else None
        except FileNotFoundError:
            continue
        if found is None:
            continue
        ours = found.st_uid in (0, os.getuid()) and not found.st_mode & stat.S_IWOTH
        if not kind(found.st_mode) or not ours:
            raise LayoutProblem(
                "%s is there already and is a link, belongs to another user, or can be written by everybody: take it "
                "away, or export to a folder of your own" % path
            )


def open_file(path: str) -> BinaryIO:
    """A file to read from; a pipe or a device in its place would hold the run, or never end.

    :raises OSError: if it is none.
    """
    handle = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
        handle.close()
        raise OSError("it is no file")
    return handle


def open_new(path: str) -> BinaryIO:
    """A file to write to that is new: what somebody has put there, a link above all, is not written through.

    :raises OSError: if something is there.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), "wb")


def _content(path: str, limit: int) -> bytes:
    with open_file(path) as handle:
        content = handle.read(limit + 1)
    if len(content) > limit:
        raise ValueError("it is larger than %d MiB" % (limit >> 20))
    return content
