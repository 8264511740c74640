# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credential store's questions about a node, asked while staging: its plan, and whether new credentials are in
force as soon as the file has them."""

from __future__ import annotations

from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import expectation, files
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._prediction.generated import Generated
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise

from .on_the_node import folders_of_others, read
from .pause_image import pause_images
from .plan import Plan, plan, surroundings
from .rotation import doubts
from .store import EMPTY, StoreDamaged, from_content

_NEWS = "the kubelet gets new credentials for images of %s, at the next pull"


def planned(node: Identity, desired: Desired, release: str, found: Generated) -> Plan:
    """What is stored on a node with the wanted state, what is not and why, and what must not come into force.

    :param found: what K3s has generated at its last start.
    :raises FileProblem: if the store's file cannot be read.
    """
    around = expectation.around(node, desired, release, found)
    return plan(desired.config or normalise({}), around, folders_of_others(node.paths, found), _stored(node.paths))


def restart_reasons(node: Identity, desired: Desired, release: str, found: Generated) -> list[str]:
    """Why new credentials take a restart on this node although the store will hold them, as sentences.

    Registries that are stored anew, or no longer, change the kubelet's configuration, which is a reason of its own.

    :raises FileProblem: if the store's file or containerd's configuration cannot be read.
    """
    if found.auth is None:
        return ["a template of containerd's configuration writes the credentials, and which ones cannot be told"]
    config = desired.config or normalise({})
    stored = {*_stored(node.paths)} & {*planned(node, desired, release, found).store.registries}
    images = pause_images(node.paths)
    loaded = {key: dict(table) for key, table in found.auth.items()}
    said: dict[str, None] = {}
    for around in surroundings(expectation.around(node, desired, release, found), ()):
        said.update(dict.fromkeys(doubts(loaded, desired.auth, config, sorted(stored), around, images)))
    return list(said)


def in_force(node: Identity, desired: Desired, release: str, found: Generated) -> Generated:
    """What K3s has generated, with the wanted credentials in place of those that containerd has read, unless something
    still uses these.

    :param found: see above; one with headers in hosts.toml is left as it is, as they are sent with every request.
    """
    if found.auth is None or found.headers or restart_reasons(node, desired, release, found):
        return found
    return found._replace(auth=desired.auth)


def news(paths: NodePaths, desired: Desired) -> list[str]:
    """What the kubelet will be given that it is not given now, as sentences; empty if the store is as wanted.

    :raises FileProblem: if the store's file cannot be read.
    """
    wanted = next((item.content for item in desired.files if item.path == paths.credential_store), None)
    if wanted is None or files.read_own(paths.credential_store).content == wanted:
        return []
    try:
        before = read(paths)
    except StoreDamaged:
        before = EMPTY
    names = from_content(wanted).changed(before)
    return [_NEWS % ", ".join(names)] if names else ["%s will be changed" % paths.credential_store]


def _stored(paths: NodePaths) -> tuple[str, ...]:
    try:
        return read(paths).registries
    except StoreDamaged:
        # The program hands nothing out of it either.
        return ()
