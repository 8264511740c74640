# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry's images, made from nothing: one layer with a static program that only waits, for two architectures.

Pushed through the registry's own API, with the client certificate and the password that the nodes use.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import io
import json
import ssl
import struct
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fleet.process import FleetError
from tests.fleet.state import Fleet

PAUSE = "rancher/mirrored-pause:3.6"
IMAGES = (PAUSE, "team/app:1")
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ARCHITECTURES = ("amd64", "arm64")
# pause() for ever. amd64: mov eax,34; syscall; jmp. arm64: ppoll(0,0,0,0) in a loop.
_CODE = {
    "amd64": (0x3E, bytes.fromhex("b8220000000f05ebf7")),
    "arm64": (0xB7, bytes.fromhex("000080d2010080d2020080d2030080d2480980d2010000d4faffff17")),
}


def program(architecture: str) -> bytes:
    """The smallest ELF executable that starts and stays."""
    machine, code = _CODE[architecture]
    base, size = 0x400000, 64 + 56 + len(code)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    header += struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return header + code


def layer_of(architecture: str, note: str, ballast: bytes = b"") -> bytes:
    """A layer with the waiting program, a note, and ``ballast`` where the layer has to weigh something."""
    files = [("pause", program(architecture), 0o755), ("about", note.encode(), 0o644)]
    if ballast:
        files.append(("ballast", ballast, 0o644))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content, mode in files:
            item = tarfile.TarInfo(name)
            item.size, item.mode = len(content), mode
            archive.addfile(item, io.BytesIO(content))
    return buffer.getvalue()


def _described(kind: str, content: bytes, **more: Any) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest(content), "size": len(content), **more}


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Image:
    """What makes one up; blobs and manifests by their digests."""

    blobs: dict[str, bytes]
    manifests: dict[str, bytes]
    index: bytes


def built(name: str, architectures: tuple[str, ...] = ARCHITECTURES) -> Image:
    """An image of this name, and of no other: its layer says so."""
    blobs, manifests, entries = {}, {}, []
    for architecture in architectures:
        plain = layer_of(architecture, name)
        layer = gzip.compress(plain, mtime=0)
        config = json.dumps({
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": ["/pause"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(plain)]},
        }).encode()  # fmt: skip
        manifest = json.dumps({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _described(_CONFIG, config),
            "layers": [_described(_LAYER, layer)],
        }).encode()  # fmt: skip
        blobs.update({digest(layer): layer, digest(config): config})
        manifests[digest(manifest)] = manifest
        platform = {"architecture": architecture, "os": "linux"}
        entries.append(_described(MANIFEST, manifest, platform=platform))
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    return Image(blobs, manifests, index)


class Pusher:
    """One TLS connection to the fleet's registry, as a client with certificate and password."""

    def __init__(self, fleet: Fleet) -> None:
        pki = fleet.folder / "pki"
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(str(pki / "client.crt"), str(pki / "client.key"))
        self.connection = http.client.HTTPSConnection(
            fleet.registry.address, fleet.registry.port, timeout=10, context=context
        )
        secret = "%s:%s" % (fleet.registry.username, fleet.registry.password)
        self.headers = {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}

    def request(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> http.client.HTTPResponse:
        headers = dict(self.headers)
        if kind:
            headers["Content-Type"] = kind
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        said = response.read()
        if response.status >= 400 and method != "HEAD":
            raise FleetError(
                "the registry answered %d to %s %s: %s"
                % (response.status, method, path, said[:200].decode("utf-8", "replace"))
            )
        return response

    def blob(self, repository: str, content: bytes) -> None:
        name = digest(content)
        if self.request("HEAD", "/v2/%s/blobs/%s" % (repository, name)).status == 200:
            return
        place = self.request("POST", "/v2/%s/blobs/uploads/" % repository).headers["Location"]
        path = "/v2/" + place.partition("/v2/")[2]
        path += ("&" if "?" in path else "?") + "digest=" + name
        self.request("PUT", path, content, "application/octet-stream")

    def manifest(self, repository: str, reference: str, content: bytes, kind: str) -> None:
        self.request("PUT", "/v2/%s/manifests/%s" % (repository, reference), content, kind)

    def image(self, name: str, architectures: tuple[str, ...] = ARCHITECTURES) -> str:
        """Push an image; returns the digest of its index."""
        repository, _unused, tag = name.rpartition(":")
        image = built(name, architectures)
        for blob in image.blobs.values():
            self.blob(repository, blob)
        for name_, manifest in image.manifests.items():
            self.manifest(repository, name_, manifest, MANIFEST)
        self.manifest(repository, tag, image.index, INDEX)
        return digest(image.index)


def fill(fleet: Fleet, images: tuple[str, ...] = IMAGES, patience: float = 20.0) -> None:
    """Push ``images`` as soon as the registry answers.

    :raises FleetError: when it does not within ``patience`` seconds, with its last log lines.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            pusher = Pusher(fleet)
            pusher.request("GET", "/v2/")
            break
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() > deadline:
                log = Path(fleet.folder / "registry" / "registry.log")
                lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:] if log.exists() else []
                raise FleetError("the registry does not answer: %s\n  %s" % (error, "\n  ".join(lines))) from error
            time.sleep(0.1)
    for image in images:
        pusher.image(image)
