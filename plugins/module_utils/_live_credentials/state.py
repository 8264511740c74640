# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state "in force, and K3s will write it without the header at its next start". Pure.

It is not written down anywhere: the files say it. The hosts.toml texts without their headers are what K3s writes for
the configuration, config.toml has other credentials, and the headers are exactly those that make up for it. Any
restart of K3s ends it.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated

from .changes import (
    Tables,
    applied,
    changes,
)
from .header import NoPlace


class InForce(NamedTuple):
    """``found`` is what there is, to be compared with what K3s writes: without headers if they are as they have to be,
    and with them if not, so that they are a difference. ``keys`` of ``configs`` are in force by headers, for ``hosts``.
    """

    found: Generated
    keys: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


def in_force(found: Generated, texts: Sequence[Mapping[str, str]], wanted: Tables) -> InForce:
    """What is in force by headers.

    :param texts: the sets of hosts.toml texts that K3s may write for the configuration, by directory.
    :param wanted: its credentials.
    """
    if not found.headers:
        return InForce(found)
    for candidate in texts if found.auth is not None else ():
        needed = changes(candidate, found.auth or {}, wanted)
        if not needed.doubts and needed.headers == found.headers:
            return InForce(found._replace(headers={}), needed.keys, tuple(needed.hosts))
    return InForce(found._replace(hosts=as_written(found), headers={}))


def as_written(found: Generated) -> dict[str, str]:
    """The hosts.toml texts as they are on the node, headers included."""
    try:
        return applied(found.hosts, found.headers)
    except NoPlace:
        # Not possible with texts and headers that were read from a node.
        return dict(found.hosts)
