# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images are wanted: lists as K3s and RKE2 publish them, and where a release's list is found."""

from __future__ import annotations

import re
from urllib.parse import quote

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import Image, ImageError, parse_image

_RELEASE = re.compile(r"v?(\d+\.\d+\.\d+(?:-[a-z0-9.]+)?)[+-](k3s|rke2r)(\d+)")
_PLACES = {"k3s": ("k3s-io/k3s", "k3s-images.txt"), "rke2r": ("rancher/rke2", "rke2-images.linux-%s.txt")}
GITHUB = "https://github.com"
LIST_LIMIT = 1 << 20
"""Bytes of a list: some 15,000 images."""


class ListProblem(ValueError):
    """A list or a release cannot be understood; the text names the list, the line and what to do."""


def read_list(text: str, where: str) -> list[str]:
    """The images of a list, one a line; empty lines and those that begin with ``#`` do not count.

    :param where: the list's file or URL, for messages.
    :raises ListProblem: if a line is no image, and if there is none at all (a portal's page, an empty file).
    """
    if len(text) > LIST_LIMIT:
        raise ListProblem("%s is larger than 1 MiB, which no image list is: divide it if it is one" % where)
    names = []
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        name = line.partition(" #")[0].strip()
        if not name or name.startswith("#"):
            continue
        if holds_user(name):
            raise ListProblem("%s, line %d: there is an @ in it, and no digest after it: %s" % (where, number, NO_USER))
        try:
            parse_image(name)
        except ImageError as error:
            raise ListProblem("%s, line %d: %s" % (where, number, error)) from error
        names.append(name)
    if not names:
        raise ListProblem("%s: there is no image in it" % where)
    return names


_DIGEST = re.compile(r"@[a-z0-9]{1,20}:[0-9a-fA-F]{1,200}\Z")
NO_USER = "credentials belong into source_configs (or configs, for the registry that is filled), by the registry's host"


def holds_user(name: str) -> bool:
    """Whether an image's name or an address has an ``@`` that begins no digest: a user name, and maybe a password."""
    return "@" in _DIGEST.sub("", name)


def release_lists(version: str, base: str = "", architectures: tuple[str, ...] = ("amd64",)) -> list[str]:
    """The URLs of the image lists of a release.

    K3s publishes one ``k3s-images.txt`` for all architectures (k3s-io/k3s ``scripts/package-airgap``), RKE2 one for
    each (rancher/rke2, the assets of its releases).

    :param version: such as ``v1.34.3+k3s1`` or ``v1.34.3+rke2r1``; ``-k3s1``, as image tags have it, as well.
    :param base: where GitHub's paths begin, "" for GitHub itself.
    :raises ListProblem: if it names neither a K3s nor an RKE2 release.
    """
    found = _RELEASE.fullmatch(version.strip())
    if not found:
        raise ListProblem("releases: %r names no release: write it as v1.34.3+k3s1 or v1.34.3+rke2r1" % version)
    number, kind, build = found.groups()
    repository, file = _PLACES[kind]
    release = quote("v%s+%s%s" % (number, kind, build), safe="")
    files = [file % architecture for architecture in architectures] if "%s" in file else [file]
    root = (base or GITHUB).rstrip("/")
    return ["%s/%s/releases/download/%s/%s" % (root, repository, release, name) for name in files]


def unique(names: list[str]) -> list[Image]:
    """The images in their order, each once however it is written."""
    found: dict[str, Image] = {}
    for name in names:
        image = parse_image(name)
        found.setdefault(image.text, image)
    return list(found.values())
