# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The condition of a node and its level, out of everything that was asked of it: one word, and all the reasons for it.

What ``verify`` fails for is in ``verify_criteria.py``.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, NamedTuple

from . import certificates, providers, registries
from .levels import TROUBLE, worst

#: A node has exactly one condition, the first of these that fits. To its level.
CONDITIONS = {
    "unreachable": "unknown",
    "failing": "error",
    "error": "error",
    "drifted": "warning",
    "pending": "warning",
    "foreign": "warning",
    "warning": "warning",
    "idle": "info",
    "unknown": "unknown",
    "ok": "ok",
}
#: The states of k3s_registries_info that are more than ``loaded``, to their levels.
STATES = {
    "pending": "warning",
    "drifted": "warning",
    "foreign": "warning",
    "unreadable": "error",
    "stopped": "info",
    "not_set_up": "info",
    "not_installed": "info",
}
#: Without a running K3s there are no endpoints to ask and nothing to pull with.
IDLE = ("stopped", "not_set_up", "not_installed")
#: Problems that say of a certificate what the certificate's own level says.
OF_CERTIFICATES = (
    "certificate_unreadable", "certificate_not_yet_valid", "certificate_expired", "certificate_expiring",
    "key_mismatch",
)  # fmt: skip


class Reason(NamedTuple):
    """Why a node is not well. ``kind``: ``unreachable``, ``module``, ``registries``, ``providers``, ``pulls``,
    ``state``, ``certificates`` or ``problems``; ``about``: the names that it is about."""

    level: str
    kind: str
    about: tuple[str, ...] = ()


class Node(NamedTuple):
    """How a node stands. ``days_left``: of the certificate that expires first, None without one."""

    condition: str
    reasons: tuple[Reason, ...]
    registries: dict[str, registries.Registry]
    days_left: int | None

    @property
    def level(self) -> str:
        return CONDITIONS[self.condition]

    @property
    def troubled(self) -> bool:
        """Whether somebody has to look after it."""
        return self.level in TROUBLE


def assess(host: Mapping[str, Any]) -> Node:
    """The node of ``{unreachable, errors, info, endpoints, pulls}``, see ``_report/document.py``."""
    info: Mapping[str, Any] = host["info"] or {}
    found = registries.assess(host["endpoints"])
    reasons = tuple(_reasons(host, info, found))
    return Node(_condition(host, info, found, reasons), reasons, found, certificates.soonest(info))


def _reasons(
    host: Mapping[str, Any], info: Mapping[str, Any], found: Mapping[str, registries.Registry]
) -> Iterator[Reason]:
    if host["unreachable"]:
        yield Reason("unknown", "unreachable")
        return
    for error in host.get("errors") or []:
        yield Reason("unknown", "module", (str(error.get("module")),))
    for level in ("error", "warning"):
        names = tuple(name for name, registry in found.items() if registry.level == level)
        if names:
            yield Reason(level, "registries", names)
    for level in ("error", "warning"):
        codes = {trouble.code for trouble in providers.troubles(host.get("providers") or ()) if trouble.level == level}
        if codes:
            yield Reason(level, "providers", tuple(sorted(codes)))
    if host["pulls"]:
        yield Reason("error", "pulls", tuple(str(pull.get("image") or "") for pull in host["pulls"]))
    state = str(info.get("state") or "")
    if state in STATES:
        yield Reason(STATES[state], "state", (state,))
    level = worst(certificates.level(entry) for entry in info.get("certificates") or [])
    if level != "ok":
        yield Reason(level, "certificates")
    for level in ("error", "warning"):
        codes = {str(item.get("code")) for item in info.get("problems") or [] if item.get("level") == level}
        codes -= {*OF_CERTIFICATES, state}
        if codes:
            yield Reason(level, "problems", tuple(codes))


def _condition(
    host: Mapping[str, Any],
    info: Mapping[str, Any],
    found: Mapping[str, registries.Registry],
    reasons: tuple[Reason, ...],
) -> str:
    levels = {reason.level for reason in reasons}
    state = str(info.get("state") or "")
    if host["unreachable"]:
        return "unreachable"
    if host["pulls"] or any(registry.level == "error" for registry in found.values()):
        return "failing"
    if "error" in levels:
        return "error"
    if state in ("drifted", "pending", "foreign"):
        return state
    if "warning" in levels:
        return "warning"
    if not info or "unknown" in levels:
        return "unknown"
    return "idle" if state in IDLE else "ok"
