# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry serves for an image: the manifest, the one for the node's platform, and the blobs it names."""

from __future__ import annotations

import hashlib
import re
import threading
from typing import Any, Callable, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.failure import Failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import taken, text_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.media_types import (
    INDEX_TYPES,
    MANIFEST_TYPES,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.messages import shown

from .answer import Answer
from .failure import status_failure
from .platform import best_of, platform_text

ACCEPT = ", ".join((MANIFEST_TYPES[1], INDEX_TYPES[1], MANIFEST_TYPES[0], INDEX_TYPES[0], "*/*"))
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+"
_NO_MANIFEST = ("text/", "application/json", "application/xml", "application/xhtml", "application/octet-stream")
_NAMED = ("text/html", "text/plain", "application/json", "application/xml", "application/octet-stream")
_LARGEST_MANIFEST = 4 << 20
# Of what is larger only so many are read at the same time: a node has little memory, and a probe many threads.
_USUAL_SIZE = 256 << 10
_LARGE_ONES = threading.BoundedSemaphore(4)
# Indexes within indexes; and layers, of which containerd's file systems take some hundreds.
_MOST_LEVELS, _MOST_LAYERS = 4, 5000
# What containerd takes for a digest, and can verify.
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_LENGTH = re.compile(r"[0-9]{1,18}")

Ask = Callable[..., Answer]


class Place(NamedTuple):
    """Where an image is asked for: ``ask(method, url, **more)``, ``url(kind, name)``, ``left(doing)`` seconds."""

    ask: Ask
    url: Callable[[str, str], str]
    left: Callable[[str], float]


class Content(NamedTuple):
    """What is needed of a manifest or an index: the rest of it, which may be large, is not kept.

    :ivar chosen: of an index, the digest of what the node takes of it; None if there is nothing for it.
    :ivar platforms: of an index, what it is for.
    :ivar blobs: of a manifest, the digests of the configuration (first) and the layers, with their sizes, -1 if they
        are not said.
    """

    is_index: bool
    chosen: str | None
    platforms: list[str]
    blobs: dict[str, int]


def check_content(place: Place, head: Answer, reference: str, platform: tuple[str, str]) -> str:
    """Goes on after the manifest's HEAD was answered: everything that a pull would need is there and right.

    Layers are not downloaded: whether they are there, and how long they are, is asked by HEAD. The image's own
    configuration is, and its digest is checked, if it is not larger than usual.

    :param reference: the tag or digest.
    :param platform: of the node.
    :returns: a sentence about what there is.
    :raises Failure: for what a pull would stumble over.
    """
    check_type(head)
    status = head.status
    content = _manifest(place, reference, head, platform)
    described = ""
    for _level in range(_MOST_LEVELS):
        if not content.is_index:
            break
        if content.chosen is None:
            words = "only " + ", ".join(content.platforms[:8]) if content.platforms else "none at all"
            raise Failure("platform_missing", f"no {platform_text(platform)}, {words}", status)
        described = ", has " + platform_text(platform)
        if not _DIGEST.fullmatch(content.chosen):
            raise Failure("manifest_unsupported", "the index names a digest that cannot be verified", status)
        content = _manifest(place, content.chosen, None, platform)
    if not content.blobs:
        raise Failure("manifest_unsupported", "the manifest names no configuration of an image", status)
    for number, (digest, size) in enumerate(content.blobs.items()):
        _check_blob(place, digest, size, is_config=number == 0)
    return f"the manifest{described} and its {len(content.blobs)} blobs are there"


def check_promise(head: Answer, reference: str) -> None:
    """:raises Failure: if a HEAD promises another digest than was asked for, or one that cannot be verified."""
    promised = head.headers.get("Docker-Content-Digest") or ""
    where = f"{shown(head.url)}: Docker-Content-Digest"
    if promised and not _DIGEST.fullmatch(promised):
        raise Failure("not_a_registry", f"{where} is no digest that can be verified", head.status)
    if promised and ":" in reference and promised != reference:
        raise Failure("digest_mismatch", f"{where} is not the digest that was asked for", head.status)


def check_type(answer: Answer) -> None:
    """:raises Failure: if an answer is no manifest that containerd takes."""
    kind = answer.media_type
    if kind in INDEX_TYPES or kind in MANIFEST_TYPES:
        return
    # The server's own words stay out of results, so only types that are known are named.
    named = f"{shown(answer.url)}: of {'type ' + kind if kind in _NAMED else 'another type'}"
    if kind.startswith(_SCHEMA_1):
        raise Failure(
            "manifest_unsupported",
            f"{shown(answer.url)}: of schema 1, which containerd 2.1 and later refuse",
            answer.status,
        )
    if not kind or kind.startswith(_NO_MANIFEST):
        raise Failure("not_a_registry", named, answer.status)
    raise Failure("manifest_unsupported", named, answer.status)


def _manifest(place: Place, reference: str, head: Answer | None, platform: tuple[str, str]) -> Content:
    url = place.url("manifests", reference)
    answer = place.ask("GET", url, accept=ACCEPT, limit=_USUAL_SIZE)
    if answer.status == 200 and not answer.complete:
        if not _LARGE_ONES.acquire(timeout=place.left(f"GET {shown(url)}")):
            raise Failure("timeout", f"GET {shown(url)}: too many large manifests at once")
        try:
            answer = place.ask("GET", url, accept=ACCEPT, limit=_LARGEST_MANIFEST)
            return _judged(answer, url, reference, head, platform)
        finally:
            _LARGE_ONES.release()
    return _judged(answer, url, reference, head, platform)


def _judged(answer: Answer, url: str, reference: str, head: Answer | None, platform: tuple[str, str]) -> Content:
    if answer.status != 200:
        if answer.status == 404 and head is None:
            raise Failure("blob_missing", f"GET {shown(url)}: the index names it, and it is not there", 404)
        raise status_failure(answer.status, url, f"GET {shown(url)}")
    check_type(answer)
    if not answer.complete:
        raise Failure("manifest_unsupported", f"GET {shown(url)}: it is larger than 4 MiB", answer.status)
    promised = reference if ":" in reference else ((head and head.headers.get("Docker-Content-Digest")) or "")
    _check_digest(promised, answer.body, url, answer.status)
    is_index = answer.media_type in INDEX_TYPES
    try:
        return taken(answer.body, lambda fields: _content(fields, is_index, platform))
    except ValueError:
        raise Failure("manifest_unsupported", f"GET {shown(url)}: it is no JSON object", answer.status) from None


def _content(fields: dict[str, Any], is_index: bool, platform: tuple[str, str]) -> Content:
    manifests = fields.get("manifests")
    if not is_index and not isinstance(manifests, list):
        return Content(False, None, [], _blobs(fields))
    entries = [entry for entry in manifests if isinstance(entry, dict)] if isinstance(manifests, list) else []
    chosen = best_of(entries, platform)
    there = sorted({_platform_of(entry) for entry in entries} - {"unknown/unknown"})
    return Content(True, text_of(chosen.get("digest")) if chosen is not None else None, there[:8], {})


def _check_digest(promised: str, content: bytes, url: str, status: int) -> None:
    if not promised:
        return
    if not _DIGEST.fullmatch(promised):
        raise Failure("manifest_unsupported", f"GET {shown(url)}: its digest cannot be verified", status)
    algorithm, _colon, wanted = promised.partition(":")
    if hashlib.new(algorithm, content).hexdigest() != wanted:
        raise Failure("digest_mismatch", f"GET {shown(url)}: the content has another digest", status)


def _blobs(fields: dict[str, Any]) -> dict[str, int]:
    """Empty without a configuration."""
    found: dict[str, int] = {}
    config, layers = fields.get("config"), fields.get("layers")
    if not isinstance(config, dict) or not text_of(config.get("digest")):
        return found
    for entry in [config, *(layers[:_MOST_LAYERS] if isinstance(layers, list) else [])]:
        # Layers with URLs of their own are not the registry's.
        if isinstance(entry, dict) and isinstance(entry.get("digest"), str) and not entry.get("urls"):
            found.setdefault(entry["digest"], _size(entry.get("size")))
    return found


def _size(value: Any) -> int:
    """-1 if it is not said.

    :raises ValueError: if it is no whole number, such as 1e400: containerd reads no such manifest.
    """
    if isinstance(value, float):
        raise ValueError("a size that is no whole number")
    return value if isinstance(value, int) else -1


def _check_blob(place: Place, digest: str, size: int, is_config: bool) -> None:
    if not _DIGEST.fullmatch(digest):
        raise Failure("manifest_unsupported", "the manifest names a digest that cannot be verified")
    url = place.url("blobs", digest)
    method = "GET" if is_config and 0 <= size <= _USUAL_SIZE else "HEAD"
    # Only a download may go where a redirect leads: its signature may be for nothing else.
    answer = place.ask(method, url, limit=_USUAL_SIZE + 1, follow=method == "GET")
    where, status = f"{method} {shown(url)}", answer.status
    if status == 404:
        raise Failure("blob_missing", where, status)
    if status == 429 or status >= 500 or (status >= 400 and method == "GET"):
        raise status_failure(status, url, where)
    if status != 200:
        return
    length = str(len(answer.body)) if method == "GET" else answer.headers.get("Content-Length") or ""
    if method == "GET" and not answer.complete:
        raise Failure("digest_mismatch", f"{where}: more than {size} bytes", status)
    if _LENGTH.fullmatch(length) and size >= 0 and int(length) != size:
        raise Failure("digest_mismatch", f"{where}: {length} bytes instead of {size}", status)
    if method == "GET":
        _check_digest(digest, answer.body, url, status)


def _platform_of(entry: dict[str, Any]) -> str:
    platform = entry.get("platform")
    if not isinstance(platform, dict):
        return "unknown/unknown"
    words = [text_of(platform.get("os")), text_of(platform.get("architecture")), text_of(platform.get("variant"))]
    text = "/".join(words if words[2] else words[:2])
    return "".join(char for char in text if char.isalnum() or char in "/._-")[:40]
