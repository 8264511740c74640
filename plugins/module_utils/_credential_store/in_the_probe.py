# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credentials the probe uses on a node with a store: those with which pods' images are pulled.

What containerd has read at its start may be an old password by now, and accounts are locked for trying one.
"""

from __future__ import annotations

from typing import Mapping

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._probe.node_hosts import NodeHosts
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.resolve import credential_keys

from .on_the_node import read
from .store import EMPTY, StoreDamaged


def auth(node: NodeHosts, paths: NodePaths) -> Mapping[str, Mapping[str, str]]:
    """The tables of credentials, with the store's in place of those for the hosts of stored registries.

    :param node: what containerd has read.
    """
    try:
        store = read(paths)
    except (FileProblem, StoreDamaged):
        # The kubelet gets nothing out of it either.
        store = EMPTY
    found = dict(node.auth)
    for registry, login in store.logins.items():
        table = {"username": login.username, "password": login.password, "auth": "", "identitytoken": ""}
        for host in node.hosts(registry).hosts:
            keys = credential_keys(host.host)
            found[next((key for key in keys if key in found), host.host)] = table
    return found
