# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What K3s generated at its last start, as a value: read from a node by ``_node/generated.py``."""

from __future__ import annotations

from types import MappingProxyType
from typing import Mapping, NamedTuple


class Generated(NamedTuple):
    """``hosts`` are the hosts.toml texts by registry; ``auth`` the tables of credentials by registry, None if a custom
    template wrote them in a way that only containerd understands; ``complete`` says whether config.toml was there at
    all, which K3s writes at every start. ``headers`` are those by which the collection has brought credentials into
    force since: by registry and endpoint, see ``_live_credentials/header.py``. ``hosts`` are without them."""

    hosts: Mapping[str, str]
    auth: Mapping[str, Mapping[str, str]] | None
    complete: bool
    headers: Mapping[str, Mapping[str, str]] = MappingProxyType({})
