# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies one image from where it is to where it is wanted, byte for byte, its parts before what names them.

Everything below the image's own manifest is asked for by its digest and is checked against it on the way, so that what
arrives is what that manifest names, or nothing stands under the image's name.
"""

from __future__ import annotations

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Iterable, Iterator

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.deadline import Deadline

from .client import RegistryClient
from .failures import RegistryFailure
from .layout import Layout
from .manifest import DEEPEST, Descriptor, Manifest, document_of


class RegistryPlace:
    """A repository of a registry, to copy from or to.

    :param known: which repository of this registry has a blob, by digest; shared between images.
    """

    def __init__(self, client: RegistryClient, repository: str, known: dict[str, str] | None = None) -> None:
        self.name = "%s/%s" % (client.access.host, repository)
        self._client = client
        self._repository = repository
        self._known = known if known is not None else {}

    def manifest(self, part: Descriptor) -> Manifest:
        """:raises RegistryFailure: if it is not there, or another."""
        found = self._client.get(self._repository, part.digest, part.media_type)
        if found is None:
            seen = "%s of %s" % (part.digest, self._repository)
            raise RegistryFailure("blob_missing", self._client.access.host, seen=seen, side=self._client.side)
        return found

    def content(self, part: Descriptor, deadline: Deadline) -> Iterator[bytes]:
        """A blob, its last piece only if all of it is what its digest says."""
        return self._client.blob(self._repository, part, deadline)

    def has(self, part: Descriptor) -> bool:
        """Whether a blob is there."""
        there = self._client.has_blob(self._repository, part.digest)
        if there:
            self._known[part.digest] = self._repository
        return there

    def take(self, part: Descriptor, make: Callable[[], Iterable[bytes]], deadline: Deadline) -> None:
        """Store a blob."""
        other = self._known.get(part.digest, "")
        try:
            self._client.put_blob(self._repository, part, make, deadline, other if other != self._repository else "")
        except RegistryFailure as problem:
            if problem.side != self._client.side or problem.cause not in ("connection_reset", "server_error"):
                raise
            # A registry that breaks an upload off has often said why, to nobody.
            raise self._client.upload_refusal(self._repository) or problem from problem
        self._known[part.digest] = self._repository

    def finish(self, manifest: Manifest) -> None:
        """Store a manifest whose parts are there, under its digest."""
        self._client.put(self._repository, manifest.digest, manifest)


class LayoutPlace:
    """An OCI layout on disk, to copy from or to."""

    def __init__(self, layout: Layout) -> None:
        self.name = layout.root
        self._layout = layout

    def manifest(self, part: Descriptor) -> Manifest:
        """:raises RegistryFailure: if it is not there, or another."""
        return Manifest(part.digest, part.media_type, self._layout.content(part.digest))

    def content(self, part: Descriptor, deadline: Deadline) -> Iterator[bytes]:
        """A blob, its last piece only if all of it is what its digest says."""
        for piece in self._layout.pieces(part.digest, part.size):
            deadline.left("copy")
            yield piece

    def has(self, part: Descriptor) -> bool:
        """Whether a blob is there and undamaged."""
        try:
            self._layout.check(part.digest, part.size)
        except RegistryFailure:
            return False
        return True

    def take(self, part: Descriptor, make: Callable[[], Iterable[bytes]], deadline: Deadline) -> None:
        """Store a blob."""
        del deadline
        free = shutil.disk_usage(self._layout.root).free
        if part.size > free:
            what = "%s needs %d bytes, and %d are free there" % (part.digest, part.size, free)
            raise RegistryFailure("target_full", self.name, advice=what)
        self._layout.add(part.digest, make())

    def finish(self, manifest: Manifest) -> None:
        """Store a manifest whose parts are there."""
        self._layout.put(manifest.body)


Place = Any
"""A :class:`RegistryPlace` or a :class:`LayoutPlace`."""


def transfer(source: Place, target: Place, top: Manifest, pool: ThreadPoolExecutor, deadline: Deadline) -> int:
    """Copy everything that an image consists of, its own manifest excluded; returns the bytes of all of it.

    :param top: the image's manifest or index.
    :param pool: in which blobs are copied.
    :raises RegistryFailure: for the first part that cannot be copied.
    """
    sizes = {top.digest: len(top.body)}
    _copy_parts(source, target, top, sizes, pool, deadline, 0)
    return sum(sizes.values())


def _copy_parts(
    source: Place, target: Place, parent: Manifest, sizes: dict[str, int], pool: ThreadPoolExecutor, deadline: Deadline,
    depth: int,
) -> None:  # fmt: skip
    _kind, parts = document_of(parent.body, parent.media_type, source.name)
    if depth > DEEPEST:
        raise RegistryFailure("manifest_unsupported", source.name, advice="its indexes are nested too deeply")
    for part in parts.manifests:
        if part.digest in sizes:
            continue
        deadline.left("copy")
        child = source.manifest(part)
        if len(child.body) != part.size:
            what = "%s has %d bytes, and what names it says %d" % (part.digest, len(child.body), part.size)
            raise RegistryFailure("digest_mismatch", source.name, advice=what)
        sizes[part.digest] = part.size
        _copy_parts(source, target, child, sizes, pool, deadline, depth + 1)
        target.finish(child)
    wanted = {part.digest: part for part in parts.blobs if part.digest not in sizes and not part.is_elsewhere}
    _all([pool.submit(_copy_blob, source, target, part, deadline) for part in wanted.values()])
    sizes.update({digest: part.size for digest, part in wanted.items()})


def _copy_blob(source: Place, target: Place, part: Descriptor, deadline: Deadline) -> None:
    deadline.left("copy")
    if not target.has(part):
        target.take(part, lambda: source.content(part, deadline), deadline)


def _all(futures: list[Future[None]]) -> None:
    """Until none runs any more; then the first failure, if there is one."""
    first: BaseException | None = None
    for future in futures:
        if first is not None and future.cancel():
            continue
        problem = future.exception()
        first = first or problem
    if first is not None:
        raise first
