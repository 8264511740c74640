# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that have been staged, or cannot be, as lines that a run has yet to read.

Every host of a fleet is staged in every run, and only the last of them needs to know of the others. So each adds a line
to what the ledger has, instead of reading and writing all of it, which at a thousand hosts took longer than all else
that the controller does for a node. Whoever needs the run next enters what has been added since.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Collection, Iterable

from .run import Host, Run, begin


@dataclass
class Arrival:
    """One host after its staging.

    ``host`` is what it needs, None if staging it has failed, for the reason ``failed``. If it gave no answer at all,
    ``answered`` is False, and ``unreachable`` is set if the reason is its connection. ``refused`` stops the rollout
    everywhere. ``goes_on`` is set if the role has anything left to do with it in this run.

    ``service_state``, ``began``, ``follows``, ``controller``, ``in_order`` and ``canary`` are for what
    :class:`~.run.Run` has of the same names.
    """

    name: str
    began: float
    answered: bool = False
    host: Host | None = None
    failed: str = ""
    refused: bool = False
    unreachable: bool = False
    goes_on: bool = False
    service_state: str = ""
    follows: bool = True
    controller: int = 0
    in_order: bool = False
    canary: list[str] = field(default_factory=list)


def enter(run: Run, arrival: Arrival) -> None:
    """Enter a host into the run."""
    name = arrival.name
    if arrival.unreachable:
        run.unreachable = sorted({*run.unreachable, name})
    if arrival.answered:
        run.controller = run.controller or arrival.controller
        run.in_order, run.canary = arrival.in_order, arrival.canary
        begin(run, name)
        if arrival.host is not None:
            run.hosts[name] = arrival.host
        else:
            run.hosts.pop(name, None)
            run.failed[name] = arrival.failed
            if arrival.refused:
                run.refused = sorted({*run.refused, name})
    if name in run.arrived:
        # The next staging of the same run.
        run.arrived.clear()
    if not run.arrived:
        run.began, run.summed_up = arrival.began, False
    run.began = min(run.began, arrival.began)
    run.follows = arrival.follows
    run.arrived[name] = arrival.service_state


def encode(arrival: Arrival) -> bytes:
    """A line that begins with the host's name, so that :func:`all_there` need not read the rest."""
    return b"%s\t%s\n" % (_name(arrival.name), json.dumps(vars(arrival), default=vars).encode("ascii"))


def decode(lines: bytes) -> list[Arrival]:
    """The hosts of lines that :func:`encode` has made."""
    found = [json.loads(line.partition(b"\t")[2]) for line in lines.splitlines()]
    for one in found:
        one["host"] = Host(**one["host"]) if one["host"] is not None else None
    return [Arrival(**one) for one in found]


def all_there(lines: bytes, hosts: Collection[str]) -> bool:
    """Whether every one of ``hosts`` has come since one of them came again, the last line's among them.

    :param lines: everything that the run's hosts have added.
    """
    if lines.count(b"\n") < len(hosts):
        return False
    names = [line.partition(b"\t")[0] for line in lines.splitlines()]
    wanted = {_name(host) for host in hosts}
    return bool(names) and names[-1] in wanted and wanted <= _since_the_latest_pass(names)


def _since_the_latest_pass(names: Iterable[bytes]) -> set[bytes]:
    seen: set[bytes] = set()
    for name in names:
        if name in seen:
            seen.clear()
        seen.add(name)
    return seen


def _name(host: str) -> bytes:
    # In JSON there is neither a tab nor the end of a line.
    return json.dumps(host).encode("ascii")
