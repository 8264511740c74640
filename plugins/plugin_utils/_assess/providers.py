# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's credential providers: which of their answers are as they should be, for verify and report alike."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, NamedTuple, Sequence

_NOT_KNOWN_TO_BE_WRONG = ("not_asked", "provider_unknown")
_SLOW = 10.0
_MOST_FINDINGS = 10
_FIX_SHARED = "Take the mirror away, or let it be one that may have these credentials."


class Trouble(NamedTuple):
    """Something about a provider. ``level``: ``error`` if a pod cannot pull with it, ``warning``, or ``info`` if it
    could not be asked."""

    level: str
    code: str
    message: str
    fix: str


def troubles(entries: Sequence[Mapping[str, Any]]) -> Iterator[Trouble]:
    """What is to be said about the providers of a node.

    :param entries: ``providers`` of k3s_registry_probe.
    """
    for entry in entries:
        cause, fix = str(entry.get("cause") or "unknown"), str(entry.get("fix") or "")
        of_whom = "credential provider %s" % entry.get("name") if entry.get("name") else "credential providers"
        seconds = float(entry.get("seconds") or 0)
        if cause != "ok":
            level = "info" if cause in _NOT_KNOWN_TO_BE_WRONG else "error"
            yield Trouble(level, cause, "%s: %s" % (of_whom, entry.get("message") or ""), fix)
        elif seconds > _SLOW:
            message = "%s took %.0f s, and a pod's pull waits for it" % (of_whom, seconds)
            yield Trouble("warning", "provider_slow", message, "")
        for finding in (entry.get("findings") or [])[:_MOST_FINDINGS]:
            yield Trouble("warning", "provider_shared", "%s: %s" % (of_whom, finding), _FIX_SHARED)
