# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images a release needs, by the names under which nodes ask for them, and what their answers mean. Pure."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.in_use import Used
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.verdict import is_allowed
from ansible_collections.k3sfleet.registries.plugins.module_utils._rehearsal.vocabulary import (
    BROKEN,
    GAINED,
    LOST,
    NOT_KNOWN,
    ON_THE_NODE,
    OTHER_PLACE,
    OWN_CREDENTIALS,
    SAME_PLACE,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import DOCKER_HUB
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import Image, parse_image
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import Release

CAN_BE_PULLED, MISSING = "can_be_pulled", "missing"
"""What counts for an image of the release: whether it can be pulled, wherever from."""

#: Every state of an image, and how it is counted in a line.
WORDS = {
    CAN_BE_PULLED: "can be pulled",
    ON_THE_NODE: "on the node",
    MISSING: "cannot be pulled",
    LOST: "lost",
    BROKEN: "already broken",
    NOT_KNOWN: "not known",
    OWN_CREDENTIALS: "with the pods' own credentials",
}
#: Those that speak against the upgrade, unless somebody lets the image go.
BAD = (MISSING, LOST)
_PULLED = (SAME_PLACE, OTHER_PLACE, GAINED)
CONTROLLER = "system-upgrade-controller"


def upgrade_image(release: Release) -> str:
    """The image with which the system-upgrade-controller upgrades a node, by the name that plans give it.

    Tags have ``-`` where releases have ``+``.
    """
    return "%s/rancher/%s-upgrade:%s" % (DOCKER_HUB, release.distribution, release.text.replace("+", "-"))


def is_controller(image: Image) -> bool:
    """Whether this is the system-upgrade-controller, in whatever registry."""
    return image.repository.rpartition("/")[2] == CONTROLLER


def as_asked_for(names: Iterable[str], default_registry: str) -> list[str]:
    """The images of a list as nodes ask for them: ``system-default-registry`` stands before the names of K3s' own.

    :raises ImageError: if one is no image's name.
    """
    images = [parse_image(name) for name in names]
    if not default_registry:
        return list(dict.fromkeys(image.text for image in images))
    prefix = default_registry.rstrip("/")
    return list(dict.fromkeys(parse_image(prefix + "/" + _without_registry(image)).text for image in images))


def _without_registry(image: Image) -> str:
    return "%s%s%s" % (image.repository, "@" if image.digest else ":", image.reference)


def state(found: Mapping[str, Any], of_the_release: bool) -> str:
    """What the rehearsal's verdict on an image means for an upgrade.

    :param found: the image, as the rehearsal describes it.
    :param of_the_release: whether the new release needs it, and not only what runs on the node today.
    """
    verdict = str(found["verdict"])
    if verdict in _PULLED:
        return CAN_BE_PULLED
    # Today the release's images are not needed, so that one cannot be pulled today either says nothing.
    return MISSING if of_the_release and verdict in (LOST, BROKEN) else verdict


def described(found: Mapping[str, Any], used: Used, of_the_release: bool, allow: Iterable[str]) -> dict[str, Any]:
    """An image for the answer: as the rehearsal describes it, with its state in place of the verdict."""
    is_in = state(found, of_the_release)
    kept = ("image", "users", "before", "after", "endpoint", "cause", "message", "fix")
    return {
        **{key: found[key] for key in kept},
        "state": is_in,
        "of_the_release": of_the_release,
        "allowed": is_in in BAD and is_allowed(used.image, list(allow)),
    }
