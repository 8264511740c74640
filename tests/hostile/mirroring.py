# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror between servers of the hostile network: what the module does for a task, without Ansible around it."""

from __future__ import annotations

import hashlib
import json
from itertools import count
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.work import answer

from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.server import Answer, App, HostileServer, Request
from tests.registry_faults.servers import INDEX, MANIFEST, Reply

SECONDS = 20.0
"""The timeout of a question to a server that answers: no busy machine makes a failure of it."""
_NUMBERS = count(1)
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def described(content: bytes, kind: str) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest(content), "size": len(content)}


class Registry:
    """A registry as it should be: it takes uploads, and checks what it takes.

    :ivar kept: manifests by repository and reference.
    """

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.blobs: dict[str, bytes] = {}
        self._begun: dict[str, bytes] = {}

    def image(self, repository: str, tag: str = "1", content: bytes = b"layer") -> str:
        """Put an image of one platform in; returns the digest of its index."""
        blobs = [b'{"architecture":"amd64","os":"linux"}', content + repository.encode()]
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": described(blobs[0], CONFIG),
            "layers": [described(blobs[1], LAYER)],
        }).encode()  # fmt: skip
        platform = {"architecture": "amd64", "os": "linux"}
        child = {**described(manifest, MANIFEST), "platform": platform}
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}).encode()
        self.blobs.update({digest(blob): blob for blob in blobs})
        self.put(repository, digest(manifest), manifest, MANIFEST)
        self.put(repository, tag, index, INDEX)
        return digest(index)

    def put(self, repository: str, reference: str, content: bytes, kind: str) -> None:
        self.kept[repository, reference] = self.kept[repository, digest(content)] = (content, kind)

    def digest(self, repository: str, reference: str = "1") -> str:
        """The digest of what stands under a name, "" if nothing does."""
        content, _kind = self.kept.get((repository, reference), (b"", ""))
        return digest(content) if content else ""

    def __call__(self, request: Request) -> Answer:
        _empty, _v2, path = request.path.partition("/v2/")
        answers = {"/manifests/": self._manifests, "/blobs/uploads/": self._uploads, "/blobs/": self._blobs}
        for kind, answer_to in answers.items():
            repository, found, name = path.partition(kind)
            if found:
                return answer_to(request, repository, name)
        return Reply(200)

    def _manifests(self, request: Request, repository: str, name: str) -> Reply:
        if request.method == "PUT":
            self.put(repository, name, request.body, request.headers["content-type"])
            return Reply(201)
        content, kind = self.kept.get((repository, name), (b"", ""))
        if not content:
            return Reply(404)
        return Reply(200, {"Content-Type": kind, "Docker-Content-Digest": digest(content)}, content)

    def _uploads(self, request: Request, repository: str, name: str) -> Reply:
        if request.method == "POST":
            return Reply(202, {"Location": "/v2/%s/blobs/uploads/upload-%d?state=a" % (repository, next(_NUMBERS))})
        self._begun[name] = content = self._begun.get(name, b"") + request.body
        if request.method == "PATCH":
            return Reply(202, {"Location": request.target})
        (wanted,) = request.query["digest"]
        if digest(content) != wanted:
            return Reply(400)
        self.blobs[wanted] = content
        return Reply(201)

    def _blobs(self, request: Request, repository: str, name: str) -> Reply:
        content = self.blobs.get(name)
        return Reply(404) if content is None else Reply(200, {"Content-Type": "application/octet-stream"}, content)


def only(part: str, hostile: App, otherwise: App) -> App:
    """Hostile where the path holds ``part``."""
    return lambda request: (hostile if part in request.path else otherwise)(request)


class Mirror:
    """Mirrors repositories, tag 1, from one server to the other.

    :param by_address: by their addresses, which programs beside this process can reach too, instead of their names.
    :param login: what the accesses of both sides hold beside the authority, by ``src`` and ``dest``.
    """

    def __init__(
        self, hostile: Neighbourhood, source: HostileServer, target: HostileServer, by_address: bool = False,
        **login: dict[str, Any],
    ) -> None:  # fmt: skip
        self._places = [(server.direct if by_address else server.url).split("://") for server in (source, target)]
        self.accesses = {
            "%s:%s" % (side, host): {
                "scheme": scheme, "ca": hostile.ca.read_text(encoding="utf-8"), **login.get(side, {})
            } for side, (scheme, host) in zip(("src", "dest"), self._places)
        }  # fmt: skip

    def run(self, *names: str, **more: Any) -> list[dict[str, Any]]:
        """Plan and copy; how each image ended."""
        request = {"token": "hostile", "access": self.accesses, "timeout": SECONDS, "retries": 0, "copy_timeout": 30}
        request.update(more)
        items = [self.item(name) for name in names]
        items = answer({**request, "operation": "plan", "items": items})["items"]
        waiting = [item for item in items if item["state"] == "missing"]
        copied = {}
        if waiting:
            done = answer({**request, "operation": "copy", "items": waiting, "seconds": 60})
            copied = {item["image"]: item for item in done["items"]}
        return [copied.get(item["image"], item) for item in items]

    def item(self, name: str) -> dict[str, Any]:
        repository, at, reference = name.partition("@")
        place = [repository, reference if at else "1"]
        return {
            "image": "docker.io/" + name,
            "source": {"kind": "registry", "place": [*self._places[0], *place]},
            "target": {"place": [*self._places[1], *place]},
        }
