# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where archives lie on a node: in K3s' folder, and before that in one that K3s does not watch."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping, NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths

FOLDER = "k3sfleet-preload"
"""K3s watches the folder above ``images``, and takes everything there whose path begins with ``agent/images`` for
something in it (``importAndWatchImages`` in ``pkg/agent/containerd/watcher.go``). So this name must not."""

_PART = ".part"
"""K3s imports no file that ends like this, even if the folder has to be within its own."""


class Places(NamedTuple):
    """The folders of one node.

    :ivar images: the folder from which K3s imports, every link resolved.
    :ivar incoming: where archives arrive: on the same file system, so that a rename brings them in at once.
    :ivar ledger: the file that names what the collection has brought.
    """

    images: str
    incoming: str
    ledger: str

    def placed(self, file: str) -> str:
        """The path of an archive in K3s' folder."""
        return os.path.join(self.images, file)

    def part(self, sha256: str) -> str:
        """The path of an archive that is not complete yet."""
        return os.path.join(self.incoming, sha256 + _PART)


def places_of(paths: NodePaths) -> Places:
    """The places of a node; nothing is made yet. ``agent/images`` may be a link to a larger disk, or a mount."""
    images = os.path.realpath(os.path.join(paths.agent_dir, "images"))
    own = os.path.join(paths.agent_dir, FOLDER)
    incoming = os.path.join(os.path.dirname(images), FOLDER)
    if os.path.isdir(images) and os.stat(images).st_dev != os.stat(os.path.dirname(images)).st_dev:
        # A mount: nothing outside of it is on its file system.
        incoming = os.path.join(images, "." + FOLDER)
    return Places(images, incoming, os.path.join(own, "brought.json"))


def make(places: Places) -> None:
    """Make the folders that are missing. Modes of those that are there stay.

    :raises FileProblem: if one cannot be made, or somebody else could write there.
    """
    files.make_directory(places.images, 0o755)
    files.make_directory(places.incoming, 0o700)
    files.make_directory(os.path.dirname(places.ledger), 0o700)


class Brought(NamedTuple):
    """One archive that the collection has put into K3s' folder.

    :ivar before: those of its images that containerd had before. They are never removed.
    """

    sha256: str
    size: int
    mtime_ns: int
    images: tuple[str, ...]
    before: tuple[str, ...]


class Ledger:
    """What the collection has brought to this node, by the archive's file. An entry is written before its archive
    comes in, so that whatever happens, no file of the collection's is without one."""

    def __init__(self, places: Places) -> None:
        self._path = places.ledger
        self.files: dict[str, Brought] = {}
        content = files.read_own(self._path).content
        try:
            for file, said in (json.loads(content.decode("utf-8"))["files"] if content else {}).items():
                self.files[str(file)] = _brought(said)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise files.FileProblem(
                "%s cannot be read (%s). It says which archives in %s are the collection's. Remove it, and the files "
                "there whose names begin with k3sfleet-, and run this again" % (self._path, error, places.images)
            ) from error

    def keep(self) -> None:
        """Write it down.

        :raises FileProblem: if that is not possible.
        """
        said = {"schema": 1, "files": {file: entry._asdict() for file, entry in sorted(self.files.items())}}
        files.write(self._path, json.dumps(said, indent=1).encode("utf-8"), 0o600, through_link=False)


def _brought(said: Mapping[str, Any]) -> Brought:
    return Brought(
        str(said["sha256"]), int(said["size"]), int(said["mtime_ns"]),
        tuple(str(image) for image in said["images"]), tuple(str(image) for image in said["before"]),
    )  # fmt: skip
