# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ends of a copy: what a source offers, what a target has, and how a copy is written down there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import (
    ONE_AT_A_TIME,
    read_json,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.media_types import INDEX_TYPES

from .access import Access
from .archive import Workspace, packed_file
from .client import RegistryClient
from .copy_plan import PlatformMissing, subset
from .exchange import Item, Request, Source, Target
from .failures import RegistryFailure
from .layout import STAGING, Layout, named
from .manifest import Descriptor, Manifest, digest_of, document_of
from .places import Place
from .skopeo import Skopeo
from .transfer import LayoutPlace, RegistryPlace, transfer

_BLOBS_AT_ONCE = 2
"""Per image that is copied at the same time."""
_MOST_LOOKED_AT = 64
"""Manifests of an index at the target among which a tarball's image is looked for."""


class Offer(NamedTuple):
    """What a source has.

    :ivar digest: of the index or manifest that the target is to have; of the configuration if ``by_config``.
    :ivar top: its bytes if it is not the source's own index but a part of it, otherwise b"".
    :ivar whole_digest: of the source's own index; that of ``digest`` if nothing is left out.
    :ivar left_out: platforms of the source's index that are not copied.
    """

    digest: str
    media_type: str
    top: bytes = b""
    whole_digest: str = ""
    left_out: tuple[str, ...] = ()
    by_config: bool = False


class Ends:
    """Registries, layouts and tools of one call."""

    def __init__(self, request: Request, workspace: Workspace) -> None:
        self._request = request
        self._workspace = workspace
        self._lock = threading.Lock()
        self._skopeo = Skopeo(request.copy_timeout)
        self._clients: dict[str, RegistryClient] = {}
        self._known: dict[str, dict[str, str]] = {}
        self._layouts: dict[str, Layout] = {}
        self._described: dict[str, dict[str, Any]] | None = None
        self._pool = ThreadPoolExecutor(_BLOBS_AT_ONCE * max(1, request.parallel))
        self.stopped = threading.Event()
        self.broken = dict(request.broken)

    # Sides are "src:<host>" and "dest:<host>".

    def client(self, side: str, place: Place) -> RegistryClient:
        """:raises RegistryFailure: if this side has failed as a whole, or cannot be reached at all."""
        key = "%s:%s" % (side, place.host)
        if key in self.broken:
            raise RegistryFailure(*self.broken[key], side=side, whole=True)
        with self._lock:
            if self.stopped.is_set():
                raise RegistryFailure("stopped", place.host, side=side)
            if key not in self._clients:
                access = self._request.access.get(key, Access(place.host, place.scheme))
                retries, timeout = self._request.retries, self._request.timeout
                self._clients[key] = RegistryClient(access, side, retries, timeout, self.stopped.wait)
            return self._clients[key]

    def place(self, side: str, place: Place) -> RegistryPlace:
        """A repository on one side.

        :raises RegistryFailure: as :meth:`client`.
        """
        client = self.client(side, place)
        return RegistryPlace(client, place.repository, self._known.setdefault("%s:%s" % (side, place.host), {}))

    def layout(self, root: str, create: bool = False) -> Layout:
        """A layout, opened once."""
        with self._lock:
            if root not in self._layouts:
                self._layouts[root] = Layout(root, create)
            return self._layouts[root]

    def _packed(self, image: str) -> str | None:
        """The digest of an image in the tarball that an earlier export made; None if there is none."""
        with self._lock:
            if self._described is None:
                tar = self._request.export_tar
                content = (packed_file(tar, "index.json") if tar else b"") or b'{"manifests": []}'
                try:
                    self._described = named(read_json(content)["manifests"])
                except (ValueError, KeyError, TypeError):
                    # Damaged: everything is exported anew.
                    self._described = {}
        return str(self._described[image]["digest"]) if image in self._described else None

    def note(self, item: Item, problem: RegistryFailure) -> None:
        """Remember a side that has failed as a whole, so that nothing else is tried there."""
        place = item.source.place if problem.side == "src" else item.target.place
        if problem.whole and problem.side and place is not None:
            self.broken.setdefault("%s:%s" % (problem.side, place.host), problem.trouble)

    def offer(self, source: Source, digest: str = "") -> Offer | None:
        """What the source has, None if it does not have it.

        :param digest: what it had when it was asked first: it is asked for that then.
        :raises RegistryFailure: on anything else.
        """
        if source.kind == "archive":
            return Offer(source.config, "", by_config=True)
        if source.kind == "layout":
            layout = self.layout(source.path)
            if not self._request.platforms:
                return Offer(source.digest, source.media_type, whole_digest=source.digest)
            content = layout.content(source.digest)
            media_type, _parts = document_of(content, source.media_type, layout.root)
            found: Manifest | None = Manifest(source.digest, media_type, content)
        else:
            place = _place(source)
            client = self.client("src", place)
            ask = client.get if self._request.platforms else client.head
            found = ask(place.repository, digest or place.reference)
        if found is None:
            return None
        where = source.where
        if not self._request.platforms or found.media_type not in INDEX_TYPES:
            return Offer(found.digest, found.media_type, whole_digest=found.digest)
        try:
            with ONE_AT_A_TIME:
                top, left_out = subset(found.body, self._request.platforms)
        except PlatformMissing as error:
            raise RegistryFailure("platform_missing", where, seen=str(error), side=source.side) from error
        if not left_out:
            return Offer(found.digest, found.media_type, whole_digest=found.digest)
        return Offer(digest_of(top), found.media_type, top, found.digest, tuple(left_out))

    def present(self, item: Item, offer: Offer | None) -> str | None:
        """The digest that the target has under the image's name; None if it has none.

        What an image of a tarball is known by is its configuration: the target's digest then counts as the offer's.
        """
        target = item.target
        if target.layout:
            if not os.path.exists(os.path.join(target.layout, "index.json")):
                return self._packed(item.image)
            layout = self.layout(target.layout)
            described = layout.images.get(item.image)
            if described is None or not layout.has(item.image, described["digest"]):
                return None
            return str(described["digest"])
        place = _place(target)
        client = self.client("dest", place)
        if offer is None or not offer.by_config:
            found = client.head(place.repository, place.reference)
            return None if found is None else found.digest
        found = client.get(place.repository, place.reference)
        if found is None:
            return None
        deadline = Deadline(self._request.timeout * (self._request.retries + 1))
        return offer.digest if _has_config(client, place.repository, found, offer.digest, deadline) else found.digest

    def write(self, item: Item) -> tuple[str, int]:
        """Copy one image; returns the digest that the target now has and the bytes of all its parts.

        :raises RegistryFailure: if it does not work; nothing stands under the image's name then that did not before.
        """
        deadline, target = Deadline(self._request.copy_timeout), item.target
        with contextlib.ExitStack() as until_done:
            source, top = self._open(item, until_done)
            if target.layout:
                layout = self.layout(target.layout, create=True)
                size = transfer(source, LayoutPlace(layout), top, self._pool, deadline)
                layout.put(top.body)
                layout.name(item.image, top.digest, top.media_type)
                return top.digest, size
            place = _place(target)
            client = self.client("dest", place)
            if ":" in place.reference and place.reference != top.digest:
                seen = "asked for %s, got %s" % (place.reference, top.digest)
                raise RegistryFailure("digest_mismatch", item.source.where, seen, side=item.source.side)
            size = transfer(source, self.place("dest", place), top, self._pool, deadline)
            client.put(place.repository, place.reference, top)
            found = client.get(place.repository, place.reference)
            if found is None or found.digest != top.digest:
                raise RegistryFailure(
                    "digest_mismatch", place.host, side="dest",
                    seen="%s has %s after the copy instead of %s" % (place.text, found and found.digest, top.digest),
                )  # fmt: skip
            return top.digest, size

    def _open(self, item: Item, until_done: contextlib.ExitStack) -> tuple[Any, Manifest]:
        """Where an image is copied from, and its manifest or index, which is what the plan has found."""
        source = item.source
        if source.kind == "archive":
            staging = until_done.enter_context(
                tempfile.TemporaryDirectory(prefix="copy-", dir=self._workspace.folder())
            )
            self._skopeo.unpack(source.path, source.name, os.path.join(staging, "dir"))
            layout = Layout(os.path.join(staging, "layout"), create=True)
            digest, media_type = layout.absorb(os.path.join(staging, "dir"))
            return LayoutPlace(layout), Manifest(digest, media_type, layout.content(digest))
        offer: Offer | None = Offer(item.digest, "")
        if source.kind == "layout" or self._request.platforms:
            offer = self.offer(source, item.whole_digest)
        if offer is None:
            raise RegistryFailure("not_found", source.where, side=source.side)
        if offer.digest != item.digest:
            seen = "the plan found %s, now it is %s" % (item.digest, offer.digest)
            raise RegistryFailure("digest_mismatch", source.where, seen, side=source.side)
        if source.kind == "layout":
            layout = self.layout(source.path)
            layout.check_image(offer.digest, offer.media_type, offer.top)
            content = offer.top or layout.content(offer.digest)
            media_type, _parts = document_of(content, offer.media_type, layout.root)
            return LayoutPlace(layout), Manifest(offer.digest, media_type, content)
        place = _place(source)
        part = Descriptor(offer.digest, len(offer.top), offer.media_type)
        registry = self.place("src", place)
        return registry, Manifest(offer.digest, offer.media_type, offer.top) if offer.top else registry.manifest(part)

    def close(self, root: str) -> None:
        """An export is complete: its manifest of digests is written, what was half copied goes."""
        layout = self.layout(root, create=True)
        layout.write_manifest()
        shutil.rmtree(os.path.join(root, STAGING), ignore_errors=True)

    def stop(self) -> None:
        """End every copy and every wait, and begin no other."""
        self.stopped.set()
        self._skopeo.stop()
        with self._lock:
            made = list(self._clients.values())
        for client in made:
            client.stop()

    def __enter__(self) -> Ends:
        return self

    def __exit__(self, *unused: object) -> None:
        self._pool.shutdown()


def _place(end: Source | Target) -> Place:
    if end.place is None:
        raise ValueError("an image without a place in a registry")
    return end.place


def _has_config(
    client: RegistryClient, repository: str, found: Manifest, config: str, deadline: Deadline, depth: int = 0
) -> bool:
    """Whether a manifest, or one of an index, is of the image with this configuration."""
    _kind, parts = document_of(found.body, found.media_type, client.access.host)
    if not parts.is_index:
        return parts.blobs[0].digest == config
    for part in parts.manifests[:_MOST_LOOKED_AT] if depth == 0 else ():
        deadline.left("copy")
        child = client.get(repository, part.digest, part.media_type)
        if child is not None and _has_config(client, repository, child, config, deadline, depth + 1):
            return True
    return False
