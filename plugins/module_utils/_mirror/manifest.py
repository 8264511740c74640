# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests and indexes, believed only as far as their digests carry: which parts they name, within limits. Pure.

Sources: OCI image-spec ``manifest.md``, ``image-index.md``, ``descriptor.md``; the ambiguity of a document that is both
(CVE-2021-41190), which containerd refuses as well.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import (
    ONE_AT_A_TIME,
    json_object,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.media_types import (
    INDEX_TYPES,
    MANIFEST_TYPES,
)

from .failures import RegistryFailure

MANIFEST_LIMIT = 4 << 20
"""Bytes: what registries and clients agree on (distribution-spec, "Pushing Manifests")."""
DEEPEST = 4
"""Levels of indexes in indexes; images have one."""
_MOST_ENTRIES = 4096
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_ELSEWHERE = re.compile(r"foreign|nondistributable")


class Descriptor(NamedTuple):
    """What a manifest or an index says of one of its parts."""

    digest: str
    size: int
    media_type: str

    @property
    def is_elsewhere(self) -> bool:
        """Layers that registries need not have, such as those of Windows' base images."""
        return bool(_ELSEWHERE.search(self.media_type))


class Parts(NamedTuple):
    """The parts of a document: ``manifests`` of an index, ``blobs`` (the configuration first) of a manifest."""

    is_index: bool
    manifests: tuple[Descriptor, ...]
    blobs: tuple[Descriptor, ...]


class Manifest(NamedTuple):
    """A manifest or an index: its digest, its media type, its bytes (empty after a HEAD)."""

    digest: str
    media_type: str
    body: bytes


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def is_checkable(digest: object) -> bool:
    """Whether content can be compared with this digest here: registries and layouts of today have SHA-256."""
    return isinstance(digest, str) and bool(_SHA256.fullmatch(digest))


def read_object(content: bytes, where: str) -> dict[str, Any]:
    """The JSON object of a manifest or an index.

    :param where: whose it is, for the message.
    :raises RegistryFailure: if it is none.
    """
    try:
        return json_object(content)
    except ValueError as error:
        raise _unsupported(where, str(error)) from error


def document_of(body: bytes, announced: str, where: str) -> tuple[str, Parts]:
    """What a document is, and what it consists of.

    Objects take some thirty times the memory of their text, so those of one document are there at a time.

    :param announced: its media type, as its answer or what names it says; "" if nothing does.
    :raises RegistryFailure: if it cannot be understood.
    """
    with ONE_AT_A_TIME:
        try:
            content = read_object(body, where)
        except RegistryFailure:
            if announced in INDEX_TYPES + MANIFEST_TYPES:
                raise
            content = {}
        media_type = media_type_of(announced, content, where)
        return media_type, parts_of(content, media_type, where)


def media_type_of(announced: str, content: Mapping[str, Any], where: str) -> str:
    """What a document is: what its answer or descriptor says, or it itself.

    :raises RegistryFailure: if it is no image of today's, or both say different things.
    """
    known = INDEX_TYPES + MANIFEST_TYPES
    said = content.get("mediaType")
    if announced in known:
        if said in known and (said in INDEX_TYPES) != (announced in INDEX_TYPES):
            raise _unsupported(where, "it is announced as %s and calls itself %s" % (announced, said))
        return announced
    if said in known:
        return str(said)
    if "distribution.manifest.v1" in announced or content.get("schemaVersion") == 1:
        raise _unsupported(where, "it is of schema 1, which containerd no longer takes")
    raise RegistryFailure(
        "not_a_registry", where, advice="it is no image, but of the type %r: check the address" % announced[:80]
    )


def parts_of(content: Mapping[str, Any], media_type: str, where: str) -> Parts:
    """What a document consists of.

    :raises RegistryFailure: if that cannot be said for sure.
    """
    is_index = media_type in INDEX_TYPES
    if ("manifests" in content) != is_index or (is_index and ("layers" in content or "config" in content)):
        raise _unsupported(where, "it is not what its type %s says" % media_type)
    if is_index:
        return Parts(True, tuple(_described(item, where) for item in _list(content, "manifests", where)), ())
    config = content.get("config")
    given = [config, *_list(content, "layers", where)]
    return Parts(False, (), tuple(_described(item, where) for item in given))


def _list(content: Mapping[str, Any], name: str, where: str) -> list[Any]:
    found = content.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise _unsupported(where, "its %s are no list" % name)
    if len(found) > _MOST_ENTRIES:
        raise _unsupported(where, "it names %d %s, more than the %d that are read" % (len(found), name, _MOST_ENTRIES))
    return found


def _described(item: Any, where: str) -> Descriptor:
    if not isinstance(item, dict):
        raise _unsupported(where, "one of its parts is not described")
    digest, size, media_type = item.get("digest"), item.get("size"), item.get("mediaType") or ""
    if not is_checkable(digest):
        raise RegistryFailure(
            "digest_mismatch", where, advice="it names a part by %.90r, and only SHA-256 can be checked" % digest
        )
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise _unsupported(where, "it does not say how large %s is" % digest)
    return Descriptor(str(digest), size, media_type if isinstance(media_type, str) else "")


def _unsupported(where: str, why: str) -> RegistryFailure:
    return RegistryFailure("manifest_unsupported", where, seen=why)
