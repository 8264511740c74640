# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images a node uses: what its pods, its containers and the run itself name, with the digests that run. Pure.

The answers are those of ``crictl ps -o json``, ``crictl images -o json`` and of the API for the node's pods. containerd
knows a container's image by its ID, so names come from the pods, and from containers and image lists where no pod of
the API is behind a container.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import Image, ImageError, parse_image

NONE, BRINGS, MAY_BRING = "none", "brings", "may_bring"
"""Whose credentials its pulls use: the node's for at least one user, only those that pods bring, or it is not known."""

STATIC = "static pod %s"
POD = "pod %s"
CONTAINER = "container %s"

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
_ENDED = ("Succeeded", "Failed")
_RUNNING = ("CONTAINER_RUNNING", "CONTAINER_CREATED")
# On the mirror pod that the API shows for a static one, and on the kubelet's own answer.
_SOURCE, _MIRROR = "kubernetes.io/config.source", "kubernetes.io/config.mirror"
_POD, _NAMESPACE = "io.kubernetes.pod.name", "io.kubernetes.pod.namespace"


class Used(NamedTuple):
    """An image that the node uses.

    :ivar digests: those under which the node has it, the running ones among them; () if it does not have it.
    :ivar users: who uses it, in words.
    :ivar credentials: NONE, BRINGS or MAY_BRING.
    :ivar kept: it is on the node and came without a registry, or is pinned: it needs none.
    """

    image: Image
    digests: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    credentials: str = NONE
    kept: bool = False


class InUse(NamedTuple):
    """``images`` in the order of their names; ``unreadable`` are names that containerd would not take."""

    images: list[Used]
    unreadable: list[str]


class _Use(NamedTuple):
    name: str
    user: str
    credentials: str
    digests: tuple[str, ...] = ()


def in_use(
    containers: Any, images: Any, pods: Sequence[Mapping[str, Any]] | None, named: Iterable[tuple[str, str]] = ()
) -> InUse:
    """
    :param containers: the answer of ``crictl ps``.
    :param images: that of ``crictl images``.
    :param pods: the node's pods, as the API has them; None if they could not be listed.
    :param named: other images, each with who uses it: the pause image, canaries.
    """
    listed = _items(images, "images")
    uses = [*_of_pods(pods or ()), *_of_containers(containers, listed, pods), *(_Use(*item, NONE) for item in named)]
    found: dict[Image, list[_Use]] = {}
    unreadable: dict[str, None] = {}
    for use in uses:
        try:
            found.setdefault(parse_image(use.name), []).append(use)
        except ImageError:
            unreadable[use.name] = None
    there = _there(listed)
    ordered = sorted(found, key=lambda image: image.text)
    return InUse([_used(image, found[image], there.get(image)) for image in ordered], list(unreadable))


class _There(NamedTuple):
    digests: tuple[str, ...]
    kept: bool


def _used(image: Image, uses: Sequence[_Use], there: _There | None) -> Used:
    digests = [digest for use in uses for digest in use.digests]
    digests += there.digests if there is not None else ()
    kinds = {use.credentials for use in uses}
    credentials = NONE if NONE in kinds else MAY_BRING if MAY_BRING in kinds else BRINGS
    users = tuple(dict.fromkeys(use.user for use in uses))
    return Used(image, tuple(dict.fromkeys(digests)), users, credentials, there is not None and there.kept)


def _of_pods(pods: Iterable[Mapping[str, Any]]) -> Iterator[_Use]:
    for pod in pods:
        spec, status, metadata = (_of(pod, key) for key in ("spec", "status", "metadata"))
        if status.get("phase") in _ENDED:
            continue
        annotations = _of(metadata, "annotations")
        # What the API server adds from the service account is in the pod's own list.
        credentials = BRINGS if spec.get("imagePullSecrets") else NONE
        is_static = _MIRROR in annotations or annotations.get(_SOURCE) in ("file", "http")
        user = (STATIC if is_static else POD) % _full_name(metadata.get("namespace"), metadata.get("name"))
        running = {
            item.get("name"): _digests([item.get("imageID")]) for kind in _STATUSES for item in _items(status, kind)
        }
        for kind in _CONTAINERS:
            for item in _items(spec, kind):
                if isinstance(item.get("image"), str) and item["image"]:
                    yield _Use(item["image"], user, credentials, running.get(item.get("name"), ()))
        for volume in _items(spec, "volumes"):
            reference = _of(volume, "image").get("reference")
            if isinstance(reference, str) and reference:
                yield _Use(reference, user, credentials)


def _of_containers(
    containers: Any, images: Sequence[Mapping[str, Any]], pods: Sequence[Mapping[str, Any]] | None
) -> Iterator[_Use]:
    """Containers of pods that the API does not show (any more), or of none."""
    known = {_full_name(_of(pod, "metadata").get("namespace"), _of(pod, "metadata").get("name")) for pod in pods or ()}
    by_id = {str(item.get("id")): item for item in images}
    for container in _items(containers, "containers"):
        labels = _of(container, "labels")
        pod = _full_name(labels.get(_NAMESPACE), labels.get(_POD))
        if container.get("state") not in _RUNNING or pod in known:
            continue
        image = _of(container, "image")
        # The kubelet names an image by its ID; newer ones add what the pod has named.
        given = [image.get("userSpecifiedImage"), image.get("image")]
        identity = str(container.get("imageRef") or image.get("image") or "")
        there = by_id.get(identity, {})
        names = [name for name in given if isinstance(name, str) and name and not _is_id(name)]
        names = names or [tag for tag in _texts(there, "repoTags") if tag] or _texts(there, "repoDigests")
        user = CONTAINER % (pod if labels.get(_POD) else _of(container, "metadata").get("name"))
        for name in names[:1]:
            yield _Use(name, user, MAY_BRING if labels.get(_POD) else NONE, _digests(_texts(there, "repoDigests")))


def _there(images: Iterable[Mapping[str, Any]]) -> dict[Image, _There]:
    """The images that the node has, by every name that it has for them.

    What was pulled has a digest of its own beside the tag; what was imported has not. K3s pins what it imports.
    """
    found: dict[Image, _There] = {}
    for item in images:
        names = [*_texts(item, "repoTags"), *_texts(item, "repoDigests")]
        digests = _texts(item, "repoDigests")
        there = _There(_digests(digests), item.get("pinned") is True or not digests)
        for name in names:
            try:
                found[parse_image(name)] = there
            except ImageError:
                continue
    return found


def _digests(names: Iterable[Any]) -> tuple[str, ...]:
    """Of ``repository@digest``; an image's ID is none."""
    found = (name.partition("@")[2] for name in names if isinstance(name, str))
    return tuple(dict.fromkeys(digest for digest in found if digest))


def _is_id(name: str) -> bool:
    return name.startswith("sha256:")


def _full_name(namespace: Any, name: Any) -> str:
    return "%s/%s" % (namespace, name)


def _of(item: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = item.get(key)
    return value if isinstance(value, dict) else {}


def _items(answer: Any, key: str) -> list[Mapping[str, Any]]:
    value = answer.get(key) if isinstance(answer, dict) else None
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(item: Mapping[str, Any], key: str) -> list[str]:
    value = item.get(key)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
