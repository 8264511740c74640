# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has come of a run, in one word: of each host, and of all of them together."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

UNREACHABLE = "unreachable"
FAILED = "failed"
REFUSED = "refused"
STOPPED = "stopped"
CHANGED = "changed"
UNCHANGED = "unchanged"

#: The worst first, as ansible-playbook's exit code has it: 4 as soon as a host could not be reached, 2 for any other
#: that failed, and 0.
OUTCOMES = (UNREACHABLE, FAILED, REFUSED, STOPPED, CHANGED, UNCHANGED)


def of_all(outcomes: Iterable[str]) -> str:
    """The worst of the hosts' outcomes; ``unchanged`` if there are none."""
    return min(outcomes, key=OUTCOMES.index, default=UNCHANGED)


def by_outcome(hosts: Mapping[str, str]) -> dict[str, list[str]]:
    """The outcomes that there are, the worst first, to the names of their hosts."""
    found = {outcome: [name for name, said in hosts.items() if said == outcome] for outcome in OUTCOMES}
    return {outcome: names for outcome, names in found.items() if names}


def of_host(host: Mapping[str, Any]) -> str:
    """The outcome of a host that was only looked at, such as a document has it.

    A module that failed there fails it, and so does it that it does not pass where that was asked.
    """
    if host["unreachable"]:
        return UNREACHABLE
    return UNCHANGED if host.get("passes", not host["errors"]) else FAILED
