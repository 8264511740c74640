# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing what the collection has brought and nothing uses: archives in K3s' folder, and their images."""

from __future__ import annotations

import os
from typing import Mapping, NamedTuple, Sequence

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files

from .containerd import Image
from .look import are_foreign, is_unchanged
from .places import Brought, Ledger, Places


class Plan(NamedTuple):
    """What is removed, and what is not.

    :ivar archives: files in K3s' folder that go.
    :ivar names: names in containerd that go.
    :ivar lost: files that the ledger names and that are gone, or are somebody else's now. They are forgotten.
    :ivar kept: sentences about what stays.
    """

    archives: list[str]
    names: list[str]
    lost: list[str]
    kept: list[str]


def plan(places: Places, ledger: Ledger, selected: Sequence[str], known: Mapping[str, Image], in_use: set[str]) -> Plan:
    """What can be removed.

    :param selected: the archives that are not wanted any more; all that the collection has brought if it is empty.
    :param known: the images in containerd; empty without one.
    :param in_use: digests of images that containers use.
    :raises FileProblem: if a file cannot be read.
    """
    found = Plan([], [], [], [])
    going: dict[str, Brought] = {}
    for file, entry in sorted(ledger.files.items()):
        if selected and file not in selected:
            continue
        path = places.placed(file)
        if os.path.lexists(path) and not is_unchanged(path, entry):
            found.lost.append(file)
            found.kept.append("%s: somebody has changed it since it was brought, so it stays" % path)
            continue
        used = [name for name in entry.images if name in known and known[name].digest in in_use]
        if used:
            found.kept.append("%s: containers use %s, so it stays" % (path, ", ".join(used)))
            continue
        (found.archives if os.path.lexists(path) else found.lost).append(file)
        going[file] = entry
    names = _names(ledger, going, known)
    if names and are_foreign(places, ledger):
        found.kept.append(
            "%s has archives that are not from this collection and may need the same images, so these stay in "
            "containerd: %s" % (places.images, ", ".join(names))
        )
    else:
        found.names.extend(names)
    return found


def _names(ledger: Ledger, going: Mapping[str, Brought], known: Mapping[str, Image]) -> list[str]:
    """The names of images that only the archives which go have brought, and the further names that K3s and CRI gave
    them: ``repository@digest`` (``retagImages`` in ``pkg/agent/containerd/containerd.go``) and ``sha256:...``."""
    staying = {name for file, entry in ledger.files.items() if file not in going for name in entry.images}
    protected = staying | {name for entry in going.values() for name in entry.before}
    ours = {name for entry in going.values() for name in entry.images if name in known} - protected
    found = set(ours)
    for digest in {known[name].digest for name in ours}:
        alike = {name for name, image in known.items() if image.digest == digest} - ours
        added = {"%s@%s" % (_repository(name), digest) for name in ours}
        of_cri = {name for name in alike if name.startswith("sha256:")}
        if not alike - added - of_cri:
            # Nobody else has given it a name.
            found |= alike
    return sorted(found)


def _repository(name: str) -> str:
    path, _colon, tag = name.partition("@")[0].rpartition(":")
    return path if path and "/" not in tag else name.partition("@")[0]


def remove_archives(places: Places, ledger: Ledger, planned: Plan) -> None:
    """Remove the archives of a plan and forget them. Their entries go last: a run that ends early is repeated.

    :raises FileProblem: if one cannot be removed.
    """
    for file in planned.archives:
        files.remove(places.placed(file), through_link=False)
    for file in (*planned.archives, *planned.lost):
        ledger.files.pop(file, None)
    if ledger.files:
        ledger.keep()
        return
    files.remove(places.ledger, through_link=False)
    for name in files.names_in(places.incoming):
        files.remove(os.path.join(places.incoming, name), through_link=False)
    for folder in dict.fromkeys((places.incoming, os.path.dirname(places.ledger))):
        files.remove_empty_directory(folder)
