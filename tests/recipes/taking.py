# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small registry's images, which takes uploads too."""

from __future__ import annotations

from itertools import count

from tests.registry_faults.servers import Reply, Request, Store, digest_of

_BAD_DIGEST = Reply(400, {"Content-Type": "application/json"}, b'{"errors": [{"code": "DIGEST_INVALID"}]}')


class TakingStore(Store):
    """Uploads in one piece or in many, as the distribution specification describes them; mounts become uploads."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: dict[str, bytes] = {}
        self._numbers = count(1)

    def __call__(self, request: Request) -> Reply:
        repository, is_upload, upload = request.path.partition("/blobs/uploads/")
        if is_upload:
            return self._upload(request, repository, upload)
        repository, is_manifest, reference = request.path.partition("/manifests/")
        if is_manifest and request.method == "PUT":
            name = repository[len("/v2/") :]
            digest = self.manifest(name, reference, request.headers["content-type"], request.body)
            return Reply(201, {"Location": request.path, "Docker-Content-Digest": digest})
        return super().__call__(request)

    def _upload(self, request: Request, repository: str, upload: str) -> Reply:
        if request.method == "POST":
            return Reply(202, {"Location": f"{repository}/blobs/uploads/{next(self._numbers)}"})
        content = self._begun.pop(upload, b"") + request.body
        if request.method == "PATCH":
            self._begun[upload] = content
            return Reply(202, {"Location": request.path, "Range": f"0-{len(content) - 1}"})
        digest = digest_of(content)
        if request.query.get("digest") != [digest]:
            return _BAD_DIGEST
        self.blobs[digest] = content
        return Reply(201, {"Location": f"{repository}/blobs/{digest}", "Docker-Content-Digest": digest})
