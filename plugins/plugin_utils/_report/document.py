# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that scripts read: what a play has gathered about each host, in one shape and without secrets.

``{schema, version, kind, generated, outcome, hosts: {name: {outcome, condition, level, group, unreachable, errors,
info, ...}}}``. What else a host has depends on what the play has asked it, see ``host.py``. docs/schemas describes
every field; its files are made by ``tests/docs/schemas.py``. The report's document is embedded in its HTML too, and the
only source of the page.
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping

from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import outcome

from .host import host, rehearsal, result_of

#: The first number of :data:`VERSION`, for scripts that want only one. It changes if a field is removed, or gets
#: another meaning or type; the second changes if one is added.
SCHEMA = 1
VERSION = "1.0"
KINDS = ("report", "verify", "diagnose")


def build(
    hosts: Iterable[str],
    info: Mapping[str, Any],
    probe: Mapping[str, Any],
    diagnosis: Mapping[str, Any],
    groups: Mapping[str, Iterable[str]],
    generated: str,
    rehearsed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The report's document of a fleet.

    :param hosts: all hosts of the report, even if nothing was gathered about them.
    :param info: results of k3s_registries_info by host, as ``register`` keeps them, even if failed or unreachable.
    :param probe: the same of k3s_registry_probe.
    :param diagnosis: the same of k3s_pull_diagnosis.
    :param groups: ``server`` and ``agent`` to the names of their hosts.
    :param generated: the time of the report, ISO-8601 UTC.
    :param rehearsed: results of k3s_registries with ``rehearse`` by host; None if nothing was rehearsed.
    """
    roles = roles_of(groups)
    asked = {"info": info, "probe": probe, "diagnosis": diagnosis}
    found = {
        name: {
            **host(roles.get(name, ""), {question: result_of(asked[question], name) for question in asked}),
            "rehearsal": rehearsal(result_of(rehearsed or {}, name)),
        }
        for name in _once(hosts)
    }
    return document("report", found, generated)


def diagnosed(
    hosts: Iterable[str],
    info: Mapping[str, Any],
    diagnosis: Mapping[str, Any],
    groups: Mapping[str, Iterable[str]],
    generated: str,
) -> dict[str, Any]:
    """The document of a diagnosis; the parameters are those of :func:`build`."""
    roles = roles_of(groups)
    asked = {"info": info, "diagnosis": diagnosis}
    found = {
        name: host(roles.get(name, ""), {question: result_of(asked[question], name) for question in asked})
        for name in _once(hosts)
    }
    return document("diagnose", found, generated)


def document(kind: str, hosts: Mapping[str, Mapping[str, Any]], generated: str) -> dict[str, Any]:
    """The hosts in their natural order, each with its outcome, and what every document begins with.

    :param kind: one of :data:`KINDS`.
    """
    found = {name: {"outcome": outcome.of_host(hosts[name]), **hosts[name]} for name in sorted(hosts, key=natural)}
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "kind": kind,
        "generated": generated,
        "outcome": outcome.of_all(host["outcome"] for host in found.values()),
        "hosts": found,
    }


def roles_of(groups: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Hosts to ``server`` or ``agent``; one that is in both groups is a server."""
    return {str(name): role for role in ("agent", "server") for name in groups.get(role) or ()}


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts ``edge-2`` before ``edge-10``."""
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _once(hosts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(str(name) for name in hosts))
