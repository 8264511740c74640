# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with the credentials on a node: written in one step for root alone, read back, removed; and what else there
decides about it."""

from __future__ import annotations

import os

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated

from .store import (
    EMPTY,
    FILE_NAME,
    MODE,
    Store,
    from_content,
)


def path_on(paths: NodePaths) -> str:
    """Where the file is: in the collection's own folder, which only root can enter."""
    return os.path.join(paths.state_dir, FILE_NAME)


def read(paths: NodePaths) -> Store:
    """What the kubelet is given now; an empty store if there is no file.

    :raises FileProblem: if somebody else could have changed it, or it cannot be read.
    :raises StoreDamaged: if it is none of ours.
    """
    content = files.read_own(path_on(paths)).content
    return EMPTY if content is None else from_content(content)


def differs(paths: NodePaths, store: Store) -> bool:
    """Whether the file has to be written, for its content or for its mode; one that is damaged has to be."""
    if not store.logins:
        return files.read_own(path_on(paths)).content is not None
    return not files.matches(path_on(paths), store.content(), MODE)


def write(paths: NodePaths, store: Store) -> None:
    """Put the store in place; the next pull of every pod gets what is in it. An empty one is removed.

    :raises FileProblem: if it cannot be written.
    """
    if not store.logins:
        remove(paths)
        return
    files.make_directory(paths.state_dir, 0o700)
    files.write(path_on(paths), store.content(), MODE, through_link=False)


def remove(paths: NodePaths) -> None:
    """Remove the file: after the kubelet has been told not to start the program any more.

    :raises FileProblem: if it cannot be removed.
    """
    files.remove(path_on(paths), through_link=False)


def folders_of_others(paths: NodePaths, found: Generated) -> frozenset[str]:
    """The folders of certs.d that K3s has not written, and that containerd follows all the same.

    :param found: what K3s has generated.
    """
    # A key with a scheme ends in a folder in a folder.
    ours = {host.partition(os.sep)[0] for host in found.hosts}
    return frozenset(name for name in files.names_in(paths.certs_d) if name not in ours)
