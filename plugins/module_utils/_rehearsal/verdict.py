# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new configuration does to the pull of an image that a node uses. Pure.

Only a loss stops a run. What cannot be told is listed with its reason and stops nothing; it is not "fine" either.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Iterable, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.image import Image, ImageError, parse_image

from .in_use import BRINGS, MAY_BRING, Used
from .outcome import FAILS, PULLS, UNKNOWN, Outcome
from .vocabulary import (
    BROKEN,
    GAINED,
    LOST,
    NOT_KNOWN,
    ON_THE_NODE,
    OTHER_PLACE,
    OWN_CREDENTIALS,
    SAME_PLACE,
)

_ABOUT_CREDENTIALS = ("unauthorized", "forbidden", "token_refused")
_MAY_BRING = "its pods may bring other credentials than the node's: of their own, or from a credential provider"
_BEFORE_UNKNOWN = "it cannot be pulled with the new configuration, and whether it can be now could not be told"


class Verdict(NamedTuple):
    """``name`` is one of ``vocabulary``, ``before`` and ``after`` are what pulls come to, ``reason`` explains NOT_KNOWN
    if no answer does, ``digest`` is what the tag gives with the new configuration, if that is not what runs;
    ``allowed`` whether somebody has said that this image may be lost."""

    used: Used
    name: str
    before: Outcome
    after: Outcome
    reason: str = ""
    digest: str = ""
    allowed: bool = False

    @property
    def stops(self) -> bool:
        """Whether this is a reason not to apply the configuration."""
        return self.name == LOST and not self.allowed


def verdict(used: Used, before: Outcome, after: Outcome, allow: Sequence[str] = ()) -> Verdict:
    """
    :param allow: patterns of images that may be lost, see :func:`is_allowed`.
    """
    name, reason = _judged(used, before, after)
    digest = ""
    if after.state == PULLS and after.said is not None and not used.image.digest:
        new = after.said.digest
        digest = new if new and used.digests and new not in used.digests else ""
    return Verdict(used, name, before, after, reason, digest, name == LOST and is_allowed(used.image, allow))


def _judged(used: Used, before: Outcome, after: Outcome) -> tuple[str, str]:
    if used.credentials == BRINGS:
        return OWN_CREDENTIALS, ""
    if after.state == PULLS:
        if before.state == FAILS:
            return GAINED, ""
        return (SAME_PLACE if before.place == after.place else OTHER_PLACE), ""
    if used.kept:
        return ON_THE_NODE, ""
    if after.state == UNKNOWN:
        return NOT_KNOWN, after.reason
    if used.credentials == MAY_BRING and after.said is not None and after.said.cause in _ABOUT_CREDENTIALS:
        return NOT_KNOWN, _MAY_BRING
    if before.state == FAILS:
        return BROKEN, ""
    if before.state == UNKNOWN:
        return NOT_KNOWN, _BEFORE_UNKNOWN
    return LOST, ""


def is_allowed(image: Image, allow: Iterable[str]) -> bool:
    """Whether a pattern lets this image go: an image's name as a pod has it, with or without a tag, or a pattern with
    ``*`` and ``?`` for its full name, such as ``quay.io/old-team/*``."""
    name = "%s/%s" % (image.registry, image.repository)
    for pattern in allow:
        if any(fnmatchcase(text, pattern) for text in (image.text, name)):
            return True
        try:
            meant = parse_image(pattern)
        except ImageError:
            continue
        names_all = not meant.digest and not pattern.endswith(":" + meant.tag)
        if meant.text == image.text or (names_all and (meant.registry, meant.repository) == image[:2]):
            return True
    return False
