# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees of a mirror: lines while it runs, totals at the end, the diff of a plan.

Registries and the machine that copies choose words in them: each item stays one line, in which a terminal interprets
nothing, so that none can look like another item's.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.copy_plan import (
    DIFFERS,
    FAILED,
    MISSING,
    SAME,
    SOURCE_MISSING,
    STATES,
    to_copy,
)
from ansible_collections.k3sfleet.registries.plugins.module_utils._mirror.exchange import Item
from ansible_collections.k3sfleet.registries.plugins.module_utils._redaction.redact import visible
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._nodes.shortened import counted

_HUB = "docker.io/"
_WORDS = {
    SAME: "unchanged", MISSING: "to copy", DIFFERS: "moved", SOURCE_MISSING: "not at the source", FAILED: "failed",
}  # fmt: skip


def size_text(count: float) -> str:
    """``4.1 MB``, in steps of a thousand as registries show it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return "%d B" % count if unit == "B" else "%.1f %s" % (count, unit)
        count /= 1000
    return ""


def short(image: str) -> str:
    """An image's name as lists have it: Docker Hub's without ``docker.io``."""
    return image[len(_HUB):] if image.startswith(_HUB) else image  # fmt: skip


def progress_line(number: int, total: int, item: Item) -> str:
    """``[12/48] rancher/mirrored-pause:3.6 copied 4.1 MB in 0.8 s``."""
    start = "[%*d/%d] %s " % (len(str(total)), number, total, visible(short(item.image)))
    if item.action == "copied":
        return start + "copied %s in %.1f s" % (size_text(item.bytes or 0), item.seconds or 0.0)
    return start + "FAILED: %s" % visible(item.message)


def plan_line(items: Iterable[Item], copies: int) -> str:
    """``48 images: 36 unchanged, 12 to copy``."""
    states = [item.state for item in items]
    parts = ["%d %s" % (states.count(state), _WORDS[state]) for state in STATES if states.count(state)]
    if copies > states.count(MISSING):
        parts.append("%d to overwrite" % (copies - states.count(MISSING)))
    return "%s: %s" % (counted(len(states), "image"), ", ".join(parts))


def totals(items: Iterable[Item], seconds: float) -> dict[str, Any]:
    """Counts of how the images ended, the bytes of those that were copied, and the seconds that it took."""
    actions = [item.action for item in items]
    return {
        "images": len(actions),
        "copied": actions.count("copied"),
        "would_copy": actions.count("would_copy"),
        "unchanged": actions.count("none"),
        "failed": actions.count("failed"),
        "bytes": sum(item.bytes or 0 for item in items if item.action == "copied"),
        "seconds": round(seconds, 1),
    }


def totals_line(counts: Mapping[str, Any]) -> str:
    """``48 images: 12 copied (1.2 GB in 61.0 s), 36 unchanged, 0 failed``."""
    copied = "%d would be copied" % counts["would_copy"]
    if not counts["would_copy"]:
        copied = "%d copied (%s in %.1f s)" % (counts["copied"], size_text(counts["bytes"]), counts["seconds"])
    images = counted(counts["images"], "image")
    return "%s: %s, %d unchanged, %d failed" % (images, copied, counts["unchanged"], counts["failed"])


def result_of(item: Item) -> dict[str, Any]:
    """An image as the task returns it; what is not known is left out."""
    told = ("image", "state", "action", "digest", "target_digest", "bytes", "seconds", "cause", "message", "note")
    found = {name: getattr(item, name) for name in told if getattr(item, name) not in ("", None)}
    return {**found, "source": item.source.text, "target": item.target.text}


def notes(items: Iterable[Item], platforms: Iterable[str]) -> list[str]:
    """What changes digests, the same for many images said once."""
    noted = [item for item in items if item.note]
    found = sorted({visible(item.note) for item in noted if not item.is_part})
    parts = [visible(short(item.image)) for item in noted if item.is_part]
    if parts:
        found.append(
            "With platforms %s the digest of the index changes for %d image(s), such as %s: pods that pin the "
            "published digest do not find it. Copy all platforms to keep digests."
            % (", ".join(platforms), len(parts), parts[0])
        )
    return found


def failure_text(items: Iterable[Item], shown: int = 10) -> str:
    """The message of a mirror that could not do all: what was in the way, and for which images."""
    by_message: dict[str, list[str]] = {}
    for item in items:
        if item.action == "failed":
            by_message.setdefault(visible(item.message), []).append(visible(short(item.image)))
    failed = sum(map(len, by_message.values()))
    lines = ["%s could not be mirrored:" % counted(failed, "image")]
    for message, names in by_message.items():
        more = " and %d more" % (len(names) - shown) if len(names) > shown else ""
        lines.append("%s%s: %s" % (", ".join(names[:shown]), more, message))
    return "\n".join(lines)


def diff(items: Iterable[Item], overwrite: bool) -> dict[str, str]:
    """Image, place and digest of what changes, as Ansible shows differences."""
    before, after = [], []
    for item in items:
        if to_copy(item, overwrite):
            target = visible(item.target.text)
            if item.state == DIFFERS:
                before.append("%s %s" % (target, visible(item.target_digest)))
            after.append("%s %s" % (target, visible(item.digest)))
    return {
        "before": "".join(line + "\n" for line in before),
        "after": "".join(line + "\n" for line in after),
        "before_header": "images at the target",
        "after_header": "images at the target",
    }
