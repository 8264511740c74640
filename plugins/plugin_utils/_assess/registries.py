# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The level of a registry on a node, out of what its endpoints have answered to the probe.

containerd asks a registry's endpoints in order and takes the first that answers. So a registry works as long as one of
them does, and the registry itself as a fallback that cannot be reached is normal behind an air gap.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple

from .levels import LEVELS


class Registry(NamedTuple):
    """``level``: ``ok`` if every mirror works, ``warning`` if only another endpoint does, ``error`` if none does.
    ``failed``: the probe's entry that says most about it, None if no endpoint fails."""

    level: str
    failed: Mapping[str, Any] | None


def assess(entries: Iterable[Mapping[str, Any]]) -> dict[str, Registry]:
    """Each registry of a probe: the worst of the images that were asked for, the registry itself being one."""
    asked: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for entry in entries:
        images = asked.setdefault(str(entry.get("registry") or ""), {})
        images.setdefault(str(entry.get("image") or ""), []).append(entry)
    return {
        registry: min(map(_attempts, images.values()), key=lambda found: LEVELS.index(found.level))
        for registry, images in asked.items()
    }


def missing_images(entries: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Images that no endpoint has, to the first attempt: what a mirror answers says more than the default endpoint
    after it."""
    attempts: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        if entry.get("image"):
            attempts.setdefault(str(entry["image"]), []).append(entry)
    return {image: tried[0] for image, tried in attempts.items() if all(not works(entry) for entry in tried)}


def works(entry: Mapping[str, Any]) -> bool:
    """Whether an endpoint has answered as it should."""
    return entry.get("cause") == "ok"


def _attempts(entries: list[Mapping[str, Any]]) -> Registry:
    failed = [entry for entry in entries if not works(entry)]
    if not failed:
        return Registry("ok", None)
    if len(failed) == len(entries):
        return Registry("error", failed[0])
    mirrors = [entry for entry in failed if entry.get("kind") != "default"]
    return Registry("warning", mirrors[0]) if mirrors else Registry("ok", failed[0])
