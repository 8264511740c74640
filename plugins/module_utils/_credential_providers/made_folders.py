# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the folders that providers are in the collection has made, so that these go with the last of them.

The places may be anybody's: K3s' settings can point to /opt/bin. A folder that was there before stays, empty or not.
"""

from __future__ import annotations

import contextlib
import json
import os

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files

NOTE = ".made"
"""In the collection's store of programs: the folders that were made, outermost first."""


def missing(folder: str) -> list[str]:
    """The folders that have to be made before ``folder`` is there, outermost first."""
    found: list[str] = []
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        found.insert(0, folder)
        folder = os.path.dirname(folder)
    return found


def note(store: str, made: list[str]) -> None:
    """Remember folders that have just been made.

    :raises FileProblem: if that cannot be written down.
    """
    known = noted(store)
    new = [folder for folder in made if folder not in known]
    if new:
        text = json.dumps(known + new)
        files.write(os.path.join(store, NOTE), text.encode("utf-8"), 0o600, through_link=False)


def noted(store: str) -> list[str]:
    """The folders that were made; those of a note that cannot be read stay where they are."""
    with contextlib.suppress(ValueError, files.FileProblem):
        found = json.loads(files.read_own(os.path.join(store, NOTE)).content or b"[]")
        if isinstance(found, list):
            return [folder for folder in found if isinstance(folder, str) and os.path.isabs(folder)]
    return []


def remove_empty(store: str) -> None:
    """Remove the folders that were made and are empty now, and the store itself once nothing but the note is in it.

    :raises FileProblem: if the note cannot be removed.
    """
    made = noted(store)
    if set(files.names_in(store)) <= {NOTE}:
        files.remove(os.path.join(store, NOTE), through_link=False)
        files.remove_empty_directory(store)
    for folder in reversed(made):
        files.remove_empty_directory(folder)
