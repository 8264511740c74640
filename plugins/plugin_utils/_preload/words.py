# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees of a preload: its lines, its diff, and what the module returns."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.archive import Archive
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._mirror_request.progress import size_text

from .catalogue import Stored
from .delivery import Delivered
from .stock import Stock

_WOULD = {"sent": "would_send", "imported": "would_import"}
_NOTHING: dict[str, Any] = {"archives": [], "sent": 0, "relayed": 0, "images_removed": [], "kept": [], "k3s": ""}


def line_of(archive: Archive, action: str) -> dict[str, Any]:
    """An entry of the result's ``archives``."""
    return {"file": archive.file, "images": list(archive.images), "bytes": archive.size, "action": action}


def to_make(images: Iterable[str]) -> list[dict[str, Any]]:
    """Entries for archives that check mode has not made."""
    return [{"file": "", "images": [image], "bytes": 0, "action": "would_make"} for image in images]


def of_stock(stock: Stock) -> dict[str, Any]:
    """The result of ``state: archived``."""
    made = set(stock.made)
    archives = [line_of(item.archive, "made" if item.archive.file in made else "none") for item in stock.stored]
    archives += to_make(stock.to_make)
    return {**_NOTHING, "archives": archives, "changed": bool(stock.made or stock.to_make)}


def of_delivery(stored: Sequence[Stored], found: Delivered, not_made: Sequence[str], check: bool) -> dict[str, Any]:
    """The result of ``state: present``, before anything is purged."""
    archives = []
    for item in stored:
        action = found.actions.get(item.archive.file, "none")
        archives.append(line_of(item.archive, _WOULD.get(action, action) if check else action))
    archives += to_make(not_made)
    changed = any(entry["action"] not in ("none", "theirs") for entry in archives)
    counts = {"sent": found.sent, "relayed": found.relayed, "k3s": found.k3s}
    return {**_NOTHING, **counts, "archives": archives, "changed": changed}


def with_removal(result: Mapping[str, Any], said: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """``result`` and what was removed, or would be."""
    action = "would_remove" if check else "removed"
    gone = [{"file": str(file), "images": [], "bytes": 0, "action": action} for file in said["archives"]]
    return {
        **result,
        "archives": [*result["archives"], *gone],
        "images_removed": list(said["images"]),
        "kept": list(said["kept"]),
        "changed": bool(result.get("changed") or gone or said["images"]),
    }


def nothing() -> dict[str, Any]:
    """A result to begin with."""
    return {**_NOTHING, "changed": False}


def sentence(result: Mapping[str, Any]) -> str:
    """All of it in one line: ``40 archives: 38 unchanged, 2 sent (1.2 MB)``."""
    words = {
        "none": "unchanged", "theirs": "there already as files of yours", "sent": "sent", "imported": "imported",
        "made": "made", "removed": "removed", "would_send": "to send", "would_import": "to import",
        "would_make": "to make", "would_remove": "to remove",
    }  # fmt: skip
    actions = [entry["action"] for entry in result["archives"]]
    parts = ["%d %s" % (actions.count(action), word) for action, word in words.items() if action in actions]
    text = "%d archive%s" % (len(actions), "" if len(actions) == 1 else "s")
    if parts:
        text += ": " + ", ".join(parts)
    if result["sent"]:
        text += " (%s)" % size_text(result["sent"])
    if result["relayed"]:
        text += " (%s by the relay)" % size_text(result["relayed"])
    if result["k3s"] and result["k3s"] != "running" and any(action == "sent" for action in actions):
        text += "; K3s does not run, and imports them at its next start"
    return text


def diff(result: Mapping[str, Any]) -> dict[str, str]:
    """The archives in K3s' folder, before and after."""
    before, after = [], []
    for entry in result["archives"]:
        line = "%s (%d bytes)" % (entry["file"] or entry["images"][0], entry["bytes"])
        if entry["action"] in ("removed", "would_remove"):
            before.append(entry["file"])
        elif entry["action"] in ("none", "theirs", "imported", "would_import"):
            before.append(line)
            after.append(line)
        else:
            after.append(line)
    return {"before": "".join(item + "\n" for item in before), "after": "".join(item + "\n" for item in after)}
