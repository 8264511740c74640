# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images as containerd normalises them (``ParseDockerRef`` of distribution/reference 0.6)."""

from __future__ import annotations

import re
from typing import NamedTuple

from .config import DOCKER_HUB
from .go_ip import Address, parse_ip

_OTHER_DOCKER_HUB = "index.docker.io"
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(f"{_PATH}(?:/{_PATH})*")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}")
_HEXADECIMAL = re.compile(r"[a-f0-9]{64}")
_LONGEST_REPOSITORY = 255


class ImageError(ValueError):
    """containerd does not accept the name; the message holds it and says why."""


class Image(NamedTuple):
    """A normalised name.

    :ivar registry: the registry's host, with the port if the name has one: the key of ``mirrors``.
    :ivar repository: the name within the registry, ``library/nginx`` for ``nginx``.
    :ivar tag: "" if there is a digest, for containerd then ignores the tag.
    :ivar digest: such as ``sha256:...``; "" without one.
    """

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        """What is asked for: the digest, or else the tag."""
        return self.digest or self.tag

    @property
    def text(self) -> str:
        """The full name."""
        separator = "@" if self.digest else ":"
        return f"{self.registry}/{self.repository}{separator}{self.reference}"


def parse_image(name: str) -> Image:
    """The parts of an image's name.

    Without a registry (a first part with a dot or a colon, or ``localhost``) it is Docker Hub's, and
    a name of one part is in ``library/``; without a tag or digest the tag is ``latest``.

    :raises ImageError: if containerd refuses the name.
    """
    if _HEXADECIMAL.fullmatch(name):
        raise ImageError(f"{name!r} is no image name: it could be a digest")
    registry, remainder = _split_registry(name)
    rest, at, digest = remainder.partition("@")
    repository, colon, tag = rest.partition(":")
    if repository.lower() != repository:
        raise ImageError(f"{name!r} is no image name: the repository {repository!r} must be lower case")
    valid = (
        _is_registry(registry)
        and _REPOSITORY.fullmatch(repository)
        and (not colon or _TAG.fullmatch(tag))
        and (not at or _DIGEST.fullmatch(digest))
    )
    if not valid:
        raise ImageError(f"{name!r} is no image name: expected registry/repository:tag or registry/repository@digest")
    if len(repository) > _LONGEST_REPOSITORY:
        raise ImageError(f"{name!r} is no image name: the repository is longer than {_LONGEST_REPOSITORY} characters")
    return Image(registry, repository, "" if digest else tag or "latest", digest)


def _is_registry(text: str) -> bool:
    if not _REGISTRY.fullmatch(text):
        return False
    return not text.startswith("[") or isinstance(parse_ip(text[1:].partition("]")[0]), Address)


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash:
        return DOCKER_HUB, "library/" + name
    if first == "localhost":
        return first, rest
    if first in {DOCKER_HUB, _OTHER_DOCKER_HUB}:
        registry, repository = DOCKER_HUB, rest
    elif "." in first or ":" in first or first.lower() != first:
        return first, rest
    else:
        registry, repository = DOCKER_HUB, name
    return registry, repository if "/" in repository else "library/" + repository
