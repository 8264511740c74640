# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done about each image, as it travels between controller and the machine that copies."""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping

from .exchange import Item

SAME, MISSING, DIFFERS, SOURCE_MISSING, FAILED = "same", "missing", "differs", "source_missing", "failed"
STATES = (SAME, MISSING, DIFFERS, SOURCE_MISSING, FAILED)


def platform_text(platform: Mapping[str, Any]) -> str:
    """``linux/arm64/v8`` out of a descriptor's ``platform``."""
    parts = (platform.get("os", ""), platform.get("architecture", ""), platform.get("variant", ""))
    return "/".join(str(part) for part in parts if part)


def _fits(found: str, wanted: str) -> bool:
    """``linux/arm64`` covers every variant; ``arm64`` alone means Linux."""
    if "/" not in wanted:
        wanted = "linux/" + wanted
    return found == wanted or found.startswith(wanted + "/")


class PlatformMissing(ValueError):
    """None of the wanted platforms is in the index."""


def subset(index: bytes, platforms: Iterable[str]) -> tuple[bytes, list[str]]:
    """An index with the wanted platforms only, and what has been left out.

    The bytes are the given ones, with the digest they have, if nothing is left out. What describes a platform's
    manifest (an attestation) goes and stays with it.

    :param platforms: such as ``linux/amd64`` or ``arm64``.
    :raises PlatformMissing: if one of them is not there; the text names it and those that are.
    """
    wanted = list(platforms)
    content = json.loads(index)
    described = content.get("manifests") or []
    kept, left_out, digests, seen = [], [], set(), set()
    for item in described:
        name = platform_text(_table(item, "platform"))
        fitting = [platform for platform in wanted if _fits(name, platform)]
        if fitting:
            kept.append(item)
            digests.add(item["digest"])
            seen.update(fitting)
        elif name != "unknown/unknown":
            left_out.append(name)
    lacking = [platform for platform in wanted if platform not in seen]
    if lacking:
        there = ", ".join(sorted({platform_text(_table(item, "platform")) for item in described}))
        raise PlatformMissing("it is not there for %s, only for %s" % (", ".join(lacking), there))
    for item in described:
        belongs_to = _table(item, "annotations").get("vnd.docker.reference.digest")
        if isinstance(belongs_to, str) and belongs_to in digests and item not in kept:
            kept.append(item)
    if len(kept) == len(described):
        return index, []
    content["manifests"] = kept
    return json.dumps(content, separators=(",", ":")).encode("utf-8"), left_out


def _table(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = item.get(name)
    return found if isinstance(found, dict) else {}


def state_of(source: str | None, target: str | None) -> str:
    """The state of an image by the digests on both sides, None if it is not there."""
    if source is None:
        return SOURCE_MISSING
    if target is None:
        return MISSING
    return SAME if source == target else DIFFERS


def to_copy(item: Item, overwrite: bool) -> bool:
    """Whether an image of a plan is to be copied."""
    return item.state == MISSING or (item.state == DIFFERS and overwrite)
