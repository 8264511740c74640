# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made from nothing, as an air-gapped fleet needs them: indexes of two platforms, shared layers, a large one."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from typing import Any

from tests.fleet.contents import layer_of
from tests.mirror.registries import LocalRegistry

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PLATFORMS = ("amd64", "arm64")
LARGE = "docker.io/rancher/large:1"


def names(count: int = 40) -> list[str]:
    """A list as K3s' own: the pause image first, a large image last."""
    found = ["docker.io/rancher/mirrored-pause:3.6"]
    found += ["docker.io/rancher/mirrored-part-%d:v1.%d.0" % (number, number) for number in range(1, count - 1)]
    return [*found, LARGE]


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _described(kind: str, content: bytes, **more: Any) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest(content), "size": len(content), **more}


class Filler:
    """Pushes images into a registry over one connection."""

    def __init__(self, registry: LocalRegistry) -> None:
        self.registry = registry
        self.connection = registry.connection()

    def _request(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, str]:
        headers = dict(self.registry.authorization, **({"Content-Type": kind} if kind else {}))
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        said = response.read()
        if response.status >= 400 and method != "HEAD":
            raise RuntimeError("%d for %s %s: %r" % (response.status, method, path, said[:200]))
        return response.status, response.headers.get("Location", "")

    def blob(self, repository: str, content: bytes) -> None:
        name = digest(content)
        if self._request("HEAD", "/v2/%s/blobs/%s" % (repository, name))[0] == 200:
            return
        place = "/v2/" + self._request("POST", "/v2/%s/blobs/uploads/" % repository)[1].partition("/v2/")[2]
        joint = "&" if "?" in place else "?"
        self._request("PUT", "%s%sdigest=%s" % (place, joint, name), content, "application/octet-stream")

    def image(self, name: str, note: str = "", size: int = 20_000, shared: int = 200_000) -> str:
        """Push an image of two layers, the first shared with all others; returns the digest of its index."""
        repository, _colon, tag = name.partition("/")[2].rpartition(":")
        manifests = []
        for architecture in PLATFORMS:
            layers = [
                layer_of(architecture, "shared", random.Random(architecture).randbytes(shared)),
                layer_of(architecture, name + note, random.Random(name + architecture + note).randbytes(size)),
            ]
            packed = [gzip.compress(layer, 1, mtime=0) for layer in layers]
            config = json.dumps({
                "architecture": architecture, "os": "linux", "config": {"Entrypoint": ["/pause"]},
                "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
            }).encode()  # fmt: skip
            for content in (*packed, config):
                self.blob(repository, content)
            manifest = json.dumps({
                "schemaVersion": 2, "mediaType": MANIFEST, "config": _described(_CONFIG, config),
                "layers": [_described(_LAYER, layer) for layer in packed],
            }).encode()  # fmt: skip
            self._request("PUT", "/v2/%s/manifests/%s" % (repository, digest(manifest)), manifest, MANIFEST)
            platform = {"architecture": architecture, "os": "linux"}
            manifests.append(_described(MANIFEST, manifest, platform=platform))
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
        self._request("PUT", "/v2/%s/manifests/%s" % (repository, tag), index, INDEX)
        return digest(index)

    def fill(self, images: list[str], large: int = 30_000_000) -> dict[str, str]:
        """Push every image of a list; returns their digests."""
        return {name: self.image(name, size=large if name == LARGE else 20_000) for name in images}
