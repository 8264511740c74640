# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OCI image layout on disk: what an export writes and an import reads, with a manifest of digests beside it.

The layout holds Docker's media types as well as OCI's, byte for byte: skopeo's own ``oci:`` transport converts them,
which changes digests, so images go in and out through its ``dir:`` transport, whose files are the same blobs.
Sources: OCI image-spec ``image-layout.md``; containers/image ``directory/directory_transport.go``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from typing import Any, Iterator

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.client import INDEX_TYPES
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import ImageError, parse_image

REFERENCE = "org.opencontainers.image.ref.name"
IMAGE_NAME = "io.containerd.image.name"
MANIFEST_FILE = "k3sfleet-mirror.json"
_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")
_INSTANCE = re.compile(r"([0-9a-f]{64})\.manifest\.json")
_CHUNK = 1 << 20
_DIRECTORY_VERSION = b"Directory Transport Version: 1.1\n"


class LayoutProblem(Exception):
    """A folder is no usable OCI layout; the text names it and says why."""


class Layout:
    """One layout. ``images`` are descriptors by the image's normalised name, in order."""

    def __init__(self, root: str, create: bool = False) -> None:
        self.root = root
        self.images: dict[str, dict[str, Any]] = {}
        self._checked: set[str] = set()
        self._lock = threading.Lock()
        if create:
            os.makedirs(os.path.join(root, "blobs", "sha256"), exist_ok=True)
            _write(os.path.join(root, "oci-layout"), {"imageLayoutVersion": "1.0.0"})
        if not create or os.path.exists(os.path.join(root, "index.json")):
            self._read()

    def _read(self) -> None:
        try:
            with open(os.path.join(self.root, "index.json"), encoding="utf-8") as handle:
                described = json.load(handle)["manifests"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LayoutProblem("%s is no OCI layout: cannot read its index.json: %s" % (self.root, error)) from error
        self.images = named(described)

    def blob(self, digest: str) -> str:
        """The path of a blob, there or not."""
        algorithm, _colon, rest = digest.partition(":")
        if algorithm != "sha256" or not _HEXADECIMAL.fullmatch(rest):
            raise RegistryFailure("digest_mismatch", "%s: %r is no digest that can be checked" % (self.root, digest))
        return os.path.join(self.root, "blobs", "sha256", rest)

    def content(self, digest: str) -> bytes:
        """A manifest or an index, checked.

        :raises RegistryFailure: ``blob_missing`` or ``digest_mismatch``.
        """
        self.check(digest)
        with open(self.blob(digest), "rb") as handle:
            return handle.read()

    def check(self, digest: str, size: int = -1) -> None:
        """Read a blob once and compare its digest.

        :raises RegistryFailure: where it is not there or damaged; the text names the file.
        """
        with self._lock:
            if digest in self._checked:
                return
        path, found = self.blob(digest), hashlib.sha256()
        try:
            if 0 <= size != os.path.getsize(path):
                raise RegistryFailure("digest_mismatch", "%s is damaged: it has %d bytes instead of %d" % (
                    path, os.path.getsize(path), size))  # fmt: skip
            with open(path, "rb") as handle:
                for chunk in iter(lambda: handle.read(_CHUNK), b""):
                    found.update(chunk)
        except OSError as error:
            raise RegistryFailure("blob_missing", "%s cannot be read: %s" % (path, error.strerror)) from error
        if "sha256:" + found.hexdigest() != digest:
            raise RegistryFailure("digest_mismatch", "%s is damaged: its content has another digest" % path)
        with self._lock:
            self._checked.add(digest)

    def parts(self, digest: str, media_type: str, top: bytes = b"") -> Iterator[tuple[str, int, bool]]:
        """Digest, size and whether it is a manifest, of everything that an image consists of, itself excluded."""
        content = json.loads(top or self.content(digest))
        if media_type in INDEX_TYPES or "manifests" in content:
            for item in content["manifests"]:
                yield item["digest"], item["size"], True
                yield from self.parts(item["digest"], item.get("mediaType", ""))
        else:
            for item in [content["config"], *content.get("layers", [])]:
                yield item["digest"], item["size"], False

    def check_image(self, digest: str, media_type: str, top: bytes = b"") -> int:
        """Check every blob of an image; returns their bytes together.

        :raises RegistryFailure: for the first that is missing or damaged.
        """
        if not top:
            self.check(digest)
        sizes = {}
        for part, size, _manifest in self.parts(digest, media_type, top):
            self.check(part, size)
            sizes[part] = size
        return sum(sizes.values())

    def view(self, folder: str, digest: str, media_type: str, top: bytes = b"") -> None:
        """Lay an image out as skopeo's ``dir:`` transport reads it, by links."""
        os.makedirs(folder, mode=0o700)
        for name, content in (("version", _DIRECTORY_VERSION), ("manifest.json", top or self.content(digest))):
            with os.fdopen(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as handle:
                handle.write(content)
        for part, _size, manifest in set(self.parts(digest, media_type, top)):
            name = part.partition(":")[2] + (".manifest.json" if manifest else "")
            os.symlink(os.path.abspath(self.blob(part)), os.path.join(folder, name))

    def absorb(self, folder: str) -> None:
        """Move the blobs of a folder that skopeo's ``dir:`` transport wrote into this layout; rename is atomic."""
        top = os.path.join(folder, "manifest.json")
        with open(top, "rb") as handle:
            name = hashlib.sha256(handle.read()).hexdigest()
        os.replace(top, self.blob("sha256:" + name))
        for name in os.listdir(folder):
            instance = _INSTANCE.fullmatch(name)
            if instance or _HEXADECIMAL.fullmatch(name):
                target = self.blob("sha256:" + (instance.group(1) if instance else name))
                os.replace(os.path.join(folder, name), target)

    def put(self, content: bytes) -> None:
        """Add a manifest or an index."""
        path = self.blob("sha256:" + hashlib.sha256(content).hexdigest())
        with open(path + ".new", "wb") as handle:
            handle.write(content)
        os.replace(path + ".new", path)

    def name(self, image: str, digest: str, media_type: str) -> None:
        """Enter an image whose blobs are there into index.json, so that a run that is killed loses nothing."""
        with self._lock:
            self.images[image] = {
                "mediaType": media_type, "digest": digest, "size": os.path.getsize(self.blob(digest)),
                "annotations": {REFERENCE: image, IMAGE_NAME: image},
            }  # fmt: skip
            _write(os.path.join(self.root, "index.json"),
                   {"schemaVersion": 2, "manifests": list(self.images.values())})  # fmt: skip

    def has(self, image: str, digest: str) -> bool:
        """Whether an image is here with this digest and all its blobs have their size."""
        described = self.images.get(image)
        if described is None or described["digest"] != digest or not os.path.exists(self.blob(digest)):
            return False
        try:
            parts = list(self.parts(digest, described["mediaType"]))
            return all(os.path.getsize(self.blob(part)) == size for part, size, _manifest in parts)
        except (OSError, RegistryFailure):
            return False

    def write_manifest(self) -> None:
        """Write down which image has which digest, for the other side of the gap."""
        images = [
            {"image": name, "digest": item["digest"], "media_type": item["mediaType"]}
            for name, item in self.images.items()
        ]
        _write(os.path.join(self.root, MANIFEST_FILE), {"schema": 1, "images": images})

    def read_manifest(self) -> dict[str, str]:
        """Image to digest, as the export wrote it down.

        :raises LayoutProblem: where there is no manifest, or it and the layout name different images.
        """
        path = os.path.join(self.root, MANIFEST_FILE)
        try:
            with open(path, encoding="utf-8") as handle:
                found = {item["image"]: item["digest"] for item in json.load(handle)["images"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LayoutProblem(
                "%s cannot be read: %s. An export writes it last: was it interrupted, or is this another layout "
                "(give that with layouts)?" % (path, error)
            ) from error
        return found


def named(described: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The descriptors of an index.json by the full names in their annotations; those without one are left out."""
    found = {}
    for item in described:
        annotations = item.get("annotations") or {}
        name = annotations.get(IMAGE_NAME) or annotations.get(REFERENCE) or ""
        try:
            if re.search("[/:]", name):
                found[parse_image(name).text] = item
        except ImageError:
            continue
    return found


def _write(path: str, content: Any) -> None:
    _write_text(path, json.dumps(content, indent=1) + "\n")


def _write_text(path: str, text: str) -> None:
    with open(path + ".new", "w", encoding="utf-8") as handle:
        handle.write(text)
    os.replace(path + ".new", path)
