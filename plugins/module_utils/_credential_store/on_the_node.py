# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with the credentials on a node, read back; and what else there decides about it. It is written, kept and
removed like the other files of the wanted state."""

from __future__ import annotations

import os

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated

from .store import EMPTY, Store, StoreDamaged, from_content


def read(paths: NodePaths) -> Store:
    """What the kubelet is given now; an empty store if there is no file.

    :raises FileProblem: if somebody else could have changed it, or it cannot be read.
    :raises StoreDamaged: if it is none of ours.
    """
    content = files.read_own(paths.credential_store).content
    return EMPTY if content is None else from_content(content)


def secrets(paths: NodePaths) -> list[str]:
    """What no text may show of the file; nothing of one that is not ours."""
    try:
        return read(paths).secrets()
    except (files.FileProblem, StoreDamaged):
        return []


def folders_of_others(paths: NodePaths, found: Generated) -> frozenset[str]:
    """The folders of certs.d that K3s has not written, and that containerd follows all the same.

    :param found: what K3s has generated.
    """
    # A key with a scheme ends in a folder in a folder.
    ours = {host.partition(os.sep)[0] for host in found.hosts}
    return frozenset(name for name in files.names_in(paths.certs_d) if name not in ours)
