# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ends of a copy: what a source offers, what a target has, and how a copy is written down there."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.access import (
    Access,
    PrivateFolder,
    SecretFileProblem,
    access_from,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.archive import packed_file
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.client import (
    Manifest,
    RegistryClient,
    digest_of,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.failures import RegistryFailure, failure
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.layout import Layout, named
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.places import Place
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.plan import PlatformMissing, subset
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.skopeo import Skopeo


class Offer(NamedTuple):
    """What a source has.

    :ivar digest: of the index or manifest that the target is to have; of the configuration where ``by_config``.
    :ivar top: its bytes where it is not the source's own index but a part of it, otherwise b"".
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

    def __init__(self, request: Mapping[str, Any], folder: PrivateFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._tar = str(request.get("export_tar") or "")
        self._platforms = list(request.get("platforms") or [])
        self._retries = int(request.get("retries", 3))
        self._timeout = float(request.get("timeout", 30.0))
        self._access = {
            key: access_from(key.partition(":")[2], given) for key, given in request.get("access", {}).items()
        }
        self.skopeo = Skopeo(folder, self._access, float(request.get("copy_timeout", 3600.0)))
        self._clients: dict[str, RegistryClient] = {}
        self._layouts: dict[str, Layout] = {}
        self._described: dict[str, dict[str, Any]] | None = None
        self.broken: dict[str, RegistryFailure] = {
            key: RegistryFailure(given["cause"], given["message"], True)
            for key, given in request.get("broken", {}).items()
        }

    # Sides are "src:<host>" and "dest:<host>".

    def client(self, side: str, scheme: str, host: str) -> RegistryClient:
        """:raises RegistryFailure: where this side has failed as a whole, or cannot be reached at all."""
        key = "%s:%s" % (side, host)
        if key in self.broken:
            known = self.broken[key]
            raise RegistryFailure(known.cause, str(known), True)
        with self._lock:
            if key not in self._clients:
                access = self._access.get(key, Access(host, scheme))
                try:
                    self._clients[key] = RegistryClient(access, self._folder, self._retries, self._timeout)
                except SecretFileProblem as error:
                    raise RegistryFailure("ca_unreadable", str(error), True) from error
            return self._clients[key]

    def layout(self, root: str, create: bool = False) -> Layout:
        """A layout, opened once."""
        with self._lock:
            if root not in self._layouts:
                self._layouts[root] = Layout(root, create)
            return self._layouts[root]

    def _packed(self, image: str) -> str | None:
        """The digest of an image in the tarball that an earlier export made; None where there is none."""
        with self._lock:
            if self._described is None:
                content = (packed_file(self._tar, "index.json") if self._tar else b"") or b'{"manifests": []}'
                self._described = named(json.loads(content)["manifests"])
        return str(self._described[image]["digest"]) if image in self._described else None

    def note(self, side: str, host: str, problem: RegistryFailure) -> None:
        """Remember a side that has failed as a whole, so that nothing else is tried there."""
        if problem.whole:
            self.broken.setdefault("%s:%s" % (side, host), problem)

    def offer(self, source: Mapping[str, Any]) -> Offer | None:
        """What the source has, None where it does not have it.

        :raises RegistryFailure: on anything else.
        """
        if source["kind"] == "archive":
            return Offer(source["config"], "", by_config=True)
        if source["kind"] == "layout":
            layout = self.layout(source["path"])
            if not self._platforms:
                return Offer(source["digest"], source["media_type"])
            found: Manifest | None = Manifest(source["digest"], source["media_type"], layout.content(source["digest"]))
        else:
            place = Place(*source["place"])
            client = self.client("src", place.scheme, place.host)
            ask = client.get if self._platforms else client.head
            found = ask(place.repository, place.reference)
        if found is None:
            return None
        if not self._platforms or not found.is_index:
            return Offer(found.digest, found.media_type)
        try:
            top, left_out = subset(found.body, self._platforms)
        except PlatformMissing as error:
            raise failure("platform_missing", _where(source), str(error)) from error
        if not left_out:
            return Offer(found.digest, found.media_type)
        return Offer(digest_of(top), found.media_type, top, found.digest, tuple(left_out))

    def planned(self, item: Mapping[str, Any]) -> Offer:
        """What the plan has found at the source, without asking for it again where its digest says all.

        :raises RegistryFailure: where it is gone since.
        """
        source = item["source"]
        if source["kind"] == "registry" and not self._platforms:
            return Offer(item["digest"], "")
        found = self.offer(source)
        if found is None:
            raise failure("not_found", _where(source))
        return found

    def present(self, item: Mapping[str, Any], offer: Offer | None) -> str | None:
        """The digest that the target has under the image's name; None where it has none.

        What an image of a tarball is known by is its configuration: the target's digest then counts as the offer's.
        """
        target = item["target"]
        if "layout" in target:
            if not os.path.exists(os.path.join(target["layout"], "index.json")):
                return self._packed(item["image"])
            layout = self.layout(target["layout"])
            described = layout.images.get(item["image"])
            if described is None or not layout.has(item["image"], described["digest"]):
                return None
            return str(described["digest"])
        place = Place(*target["place"])
        client = self.client("dest", place.scheme, place.host)
        if offer is None or not offer.by_config:
            found = client.head(place.repository, place.reference)
            return None if found is None else found.digest
        found = client.get(place.repository, place.reference)
        if found is None:
            return None
        return offer.digest if _has_config(client, place.repository, found, offer.digest) else found.digest

    def write(self, item: Mapping[str, Any], offer: Offer) -> tuple[str, int]:
        """Copy one image; returns the digest that the target now has and the bytes of all its parts.

        :raises RegistryFailure: where it does not work; nothing stands under the image's name then that did not before.
        """
        with tempfile.TemporaryDirectory(prefix="copy-", dir=self._staging(item)) as staging:
            if "layout" in item["target"]:
                return self._to_layout(item, offer, staging)
            return self._to_registry(item, offer, staging)

    def _staging(self, item: Mapping[str, Any]) -> str:
        """Beside the layout, so that blobs move into it by a rename."""
        if "layout" in item["target"]:
            path = os.path.join(item["target"]["layout"], "staging")
            os.makedirs(path, mode=0o700, exist_ok=True)
            return path
        return self._folder.path

    def _to_registry(self, item: Mapping[str, Any], offer: Offer, staging: str) -> tuple[str, int]:
        source, target = item["source"], Place(*item["target"]["place"])
        client = self.client("dest", target.scheme, target.host)
        if source["kind"] == "registry" and offer.top:
            place = Place(*source["place"])
            for digest in _instances(offer.top):
                self.skopeo.copy(place._replace(reference=digest), target._replace(reference=digest), whole=False)
            client.put(target.repository, target.reference, Manifest(offer.digest, offer.media_type, offer.top))
        else:
            self.skopeo.copy(self._from(source, offer, staging), target, whole=not offer.by_config)
        found = client.get(target.repository, target.reference)
        if found is None or (not offer.by_config and found.digest != offer.digest):
            raise failure(
                "digest_mismatch", target.host,
                "%s has %s after the copy instead of %s" % (target.text, found and found.digest, offer.digest),
            )  # fmt: skip
        return found.digest, _size(client, target.repository, found)

    def _to_layout(self, item: Mapping[str, Any], offer: Offer, staging: str) -> tuple[str, int]:
        layout, source = self.layout(item["target"]["layout"], create=True), item["source"]
        media_type, digest = offer.media_type, offer.digest
        if source["kind"] == "registry" and offer.top:
            place = Place(*source["place"])
            for number, instance in enumerate(_instances(offer.top)):
                folder = os.path.join(staging, str(number))
                self.skopeo.copy(place._replace(reference=instance), "dir:" + folder, whole=False)
                layout.absorb(folder)
            layout.put(offer.top)
        else:
            folder = os.path.join(staging, "dir")
            self.skopeo.copy(self._from(source, offer, staging), "dir:" + folder, whole=not offer.by_config)
            with open(os.path.join(folder, "manifest.json"), "rb") as handle:
                top = handle.read()
            digest = digest_of(top)
            media_type = media_type or json.loads(top).get("mediaType", "")
            layout.absorb(folder)
        size = layout.check_image(digest, media_type)
        layout.name(item["image"], digest, media_type)
        return digest, size

    def _from(self, source: Mapping[str, Any], offer: Offer, staging: str) -> Place | str:
        if source["kind"] == "archive":
            return "docker-archive:%s:%s" % (source["path"], source["name"])
        if source["kind"] == "registry":
            return Place(*source["place"])._replace(reference=offer.digest)
        layout, folder = self.layout(source["path"]), os.path.join(staging, "view")
        layout.check_image(offer.digest, offer.media_type, offer.top)
        layout.view(folder, offer.digest, offer.media_type, offer.top)
        return "dir:" + folder

    def close(self, root: str) -> None:
        """An export is complete: its manifest of digests is written, what was half copied goes."""
        layout = self.layout(root, create=True)
        shutil.rmtree(os.path.join(root, "staging"), ignore_errors=True)
        layout.write_manifest()


def _where(source: Mapping[str, Any]) -> str:
    return str(source["place"][1] if source["kind"] == "registry" else source["path"])


def _instances(index: bytes) -> list[str]:
    return [item["digest"] for item in json.loads(index)["manifests"]]


def _has_config(client: RegistryClient, repository: str, found: Manifest, config: str) -> bool:
    """Whether a manifest, or one of an index, is of the image with this configuration."""
    if not found.is_index:
        return bool((found.content.get("config") or {}).get("digest") == config)
    for digest in _instances(found.body):
        child = client.get(repository, digest)
        if child is not None and not child.is_index and _has_config(client, repository, child, config):
            return True
    return False


def _size(client: RegistryClient, repository: str, found: Manifest) -> int:
    """The bytes of an image with all that belongs to it, each part counted once."""
    sizes: dict[str, int] = {}

    def count(manifest: Manifest) -> None:
        content = manifest.content
        if manifest.is_index:
            for item in content["manifests"]:
                child = client.get(repository, item["digest"])
                if child is not None:
                    sizes[item["digest"]] = len(child.body)
                    count(child)
            return
        for item in [content.get("config") or {}, *content.get("layers", [])]:
            if item:
                sizes[item["digest"]] = item["size"]

    count(found)
    return len(found.body) + sum(sizes.values())
