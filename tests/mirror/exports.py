# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of a few bytes for each image, as k3s_image_mirror writes them and as containerd imports them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from pathlib import Path
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.layout import Layout


def _layer(name: str, content: bytes) -> bytes:
    """A layer with one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)


MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SHARED = _layer("shared", b"for all")
"""The layer that all images share."""


def export(folder: Path, *names: str, ballast: int = 0) -> Layout:
    """An export as k3s_image_mirror writes it; each image has a layer of its own and one that all share.

    :param ballast: bytes that do not compress, in each image's own layer.
    """
    layout = Layout(str(folder), create=True)
    for name in names:
        blobs = {
            "own": _layer("own", name.encode() + random.Random(name).randbytes(ballast)),
            "shared": SHARED,
        }
        config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
            "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(gzip.decompress(blobs[kind])).hexdigest()
                                           for kind in ("shared", "own")]}}  # fmt: skip
        blobs["config"] = json.dumps(config).encode()
        said = {kind: (layout.put(content), len(content)) for kind, content in blobs.items()}

        def descriptor(kind: str, media: str, said: dict[str, tuple[str, int]] = said) -> dict[str, Any]:
            return {"mediaType": "application/vnd.oci.image." + media, "digest": said[kind][0], "size": said[kind][1]}

        manifest = {
            "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor("config", "config.v1+json"),
            "layers": [descriptor("shared", "layer.v1.tar+gzip"), descriptor("own", "layer.v1.tar+gzip")],
        }  # fmt: skip
        layout.name(name, layout.put(json.dumps(manifest).encode()), MANIFEST)
    layout.write_manifest()
    return layout
