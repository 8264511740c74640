# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images of an index a node can run, by the rules of containerd's ``platforms.Only(DefaultSpec())``."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.k3sfleet.registries.plugins.module_utils._registry_http.json_text import text_of

# As uname spells it, to Go's architecture and the newest variant.
_MACHINES = {
    "x86_64": ("amd64", ""),
    "amd64": ("amd64", ""),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", "v8"),
    "arm64": ("arm64", "v8"),
    "armv8l": ("arm", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "armv5tel": ("arm", "v5"),
    "loongarch64": ("loong64", ""),
}
_SPELLINGS = {"x86_64": "amd64", "aarch64": "arm64"}
_VARIANT = re.compile(r"v([0-9]{1,3})")


def node_platform(machine: str) -> tuple[str, str]:
    """Go's architecture and variant for what ``uname -m`` says."""
    return _MACHINES.get(machine, (machine, ""))


def platform_text(platform: tuple[str, str]) -> str:
    """Such as ``linux/arm64`` or ``linux/arm/v7``."""
    architecture, variant = platform
    return f"linux/{architecture}" + (f"/{variant}" if variant and architecture == "arm" else "")


def is_runnable(entry: Any, platform: tuple[str, str]) -> bool:
    """Whether a node of this platform can run what an index's entry describes; without a description it may.

    arm64 also runs 32-bit arm, amd64 also 386, and an arm node every older variant.
    """
    if not isinstance(entry, dict):
        return True
    if (entry.get("os") or "linux") != "linux":
        return False
    architecture, variant = platform
    given = _SPELLINGS.get(text_of(entry.get("architecture")), text_of(entry.get("architecture")))
    if given == "arm" and architecture in ("arm", "arm64"):
        return _number(text_of(entry.get("variant")) or "v7") <= _number(variant or "v8")
    if given == "386" and architecture == "amd64":
        return True
    return given == architecture


def best_of(entries: list[dict[str, Any]], platform: tuple[str, str]) -> dict[str, Any] | None:
    """The entry of an index that a node of this platform takes: its own architecture before those that it also runs,
    the newest variant first; None if it can run none."""
    runnable = [entry for entry in entries if is_runnable(entry.get("platform"), platform)]
    return min(runnable, key=lambda entry: _distance(entry.get("platform"), platform[0])) if runnable else None


def _distance(entry: Any, architecture: str) -> tuple[bool, int]:
    if not isinstance(entry, dict):
        return True, 0
    given = _SPELLINGS.get(text_of(entry.get("architecture")), text_of(entry.get("architecture")))
    return given != architecture, -_number(text_of(entry.get("variant")) or "v7")


def _number(variant: str) -> int:
    match = _VARIANT.fullmatch(variant)
    return int(match.group(1)) if match is not None else 7
