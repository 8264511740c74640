# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything on a node that decides what staging says of it.

The list is proven to be complete by a test that watches what staging reads: see
``tests/unit/plugins/module_utils/_snapshot/test_everything_that_is_read.py``.
"""

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple

from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import programs
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity import units
from ansible_collections.k3sfleet.registries.plugins.module_utils._identity.identity import Identity
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.desired import Desired
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.memory import FILE_NAME, Memory
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.templates import template_paths

# As many as a node with every package has several times over; the shell gets them as arguments.
_MOST_PATHS = 4000
_MOST_LINKS = 40
# What the shell splits or would take for a pattern, and what is not the same text for every tool.
_ODD = re.compile(r"[^ -~]|[*?\[\]\\]")


class CannotTell(Exception):
    """The command could not see all that counts on this node, which is asked in full each time."""


class WhatCounts(NamedTuple):
    """What the command looks at.

    ``own`` is the snapshot's path, ``units`` are services, ``process`` is the id of K3s' main process.
    ``entries`` are files, links and other things with inode, size, owner, mode and times, ``contents`` those whose
    content counts, ``folders`` those with owner and mode, ``listed`` those whose names count. ``absent`` is not there.
    """

    own: str
    units: tuple[str, ...]
    process: int
    entries: tuple[str, ...]
    contents: tuple[str, ...]
    folders: tuple[str, ...]
    listed: tuple[str, ...]
    absent: tuple[str, ...]

    def lines(self) -> str:
        """As the command reads it."""
        lists = (self.units, (str(self.process),), self.entries, self.contents, self.folders, self.listed, self.absent)
        return "".join(line + "\n" for line in [self.own, *("\t".join(items) for items in lists)])


def what_counts(node: Identity, desired: Desired, root: str = "/") -> WhatCounts:
    """What counts for a node under systemd on which K3s runs and which has everything.

    :param desired: the wanted state, for this node.
    :raises CannotTell: if the command could not see all of it.
    :raises ServiceProblem: if systemd does not answer.
    """
    if not node.service.main_pid or not os.path.isdir(os.path.join(root, "run/systemd/system")):
        raise CannotTell("no main process of a unit of systemd")
    found = _Found()
    _of_units(found, root)
    services, environment = units.environment_files(root)
    for path in environment:
        found.file(path)
    _of_settings(found, node.paths)
    _of_the_program(found, node.paths)
    _of_generated_files(found, node.paths)
    _of_the_wanted_state(found, node.paths, desired)
    own = _of_the_memory(found, node.paths)
    return found.complete(own, ["%s.service" % service for service in services], node.service.main_pid)


def _of_units(found: _Found, root: str) -> None:
    for folder in units.unit_folders(root):
        found.folder(folder)
        for name in files.names_in(folder):
            # Drop-ins count only if it is a folder, and with the packages' own units nobody looks for any.
            if name.endswith(".service.d"):
                found.folder(os.path.join(folder, name))
    for parts in units.unit_files(root).values():
        for part in parts:
            found.file(part)


def _of_settings(found: _Found, paths: NodePaths) -> None:
    main = paths.config_file
    found.file(main)
    found.folder(main + ".d")
    for name in files.names_in(main + ".d"):
        if name.lower().endswith((".yaml", ".yml")):
            found.file(os.path.join(main + ".d", name))


def _of_the_program(found: _Found, paths: NodePaths) -> None:
    """Without its content: staging asks a program for its release again only if its size or time is another, and to
    read it would take longer than all the rest."""
    for path in paths.binaries:
        if found.entry(path) and os.access(path, os.X_OK):
            break


def _of_generated_files(found: _Found, paths: NodePaths) -> None:
    found.file(paths.containerd_config)
    for path in template_paths(paths):
        found.file(path)
    found.folder(paths.certs_d)
    for folder, folders, names in os.walk(paths.certs_d):
        # A link to a folder among them is looked into when leftovers are searched for.
        for name in folders:
            found.folder(os.path.join(folder, name))
        for name in names:
            path = os.path.join(folder, name)
            found.file(path) if name == "hosts.toml" else found.entry(path)


def _of_the_wanted_state(found: _Found, paths: NodePaths, desired: Desired) -> None:
    managed = [paths.registries_yaml, paths.drop_in, paths.provider_config, paths.credential_store]
    managed += [item.path for item in desired.files] + Memory(paths).record()["managed"]
    for path in managed:
        there = found.file(path)
        # Where leftovers of a run that was killed are searched for.
        for place in (path, there):
            if place:
                found.folder(os.path.dirname(place))
    found.folder(paths.cert_dir)
    for name in files.names_in(paths.cert_dir):
        found.folder(os.path.join(paths.cert_dir, name))
    store = os.path.join(paths.provider_bin_dir, programs.STORE)
    if os.path.lexists(store):
        raise CannotTell("it has programs of credential providers")
    found.file(store)


def _of_the_memory(found: _Found, paths: NodePaths) -> str:
    """Returns where the snapshot itself is, which does not count."""
    found.folder(paths.config_dir)
    found.folder(os.path.join(paths.state_dir, "generations"))
    for name in ("record.json", "release.json", "settings.json", "candidate.json", "cordon.json", "transaction.json"):
        found.file(os.path.join(paths.state_dir, name))
    there = found.folder(paths.state_dir)
    if not there:
        raise CannotTell("nothing is kept on it")
    return os.path.join(there, FILE_NAME)


class _Found:
    """What has been found so far. Each path is walked step by step, so that every folder and link on the way counts."""

    def __init__(self) -> None:
        self.entries: set[str] = set()
        self.contents: set[str] = set()
        self.folders: set[str] = {os.sep}
        self.listed: set[str] = set()
        self.absent: set[str] = set()

    def file(self, path: str) -> str:
        """A file with its content, through links; its absence, if it is not there.

        :returns: where it really is, "" if it is not there.
        """
        there = self.entry(path)
        if there and os.path.isfile(there):
            self.contents.add(there)
        return there

    def entry(self, path: str) -> str:
        """The same without the content."""
        there = self._reach(path)
        if there:
            (self.folders if os.path.isdir(there) else self.entries).add(there)
        return there

    def folder(self, path: str) -> str:
        """A folder with its names; its absence, if it is not there."""
        there = self.entry(path)
        if there in self.folders:
            self.listed.add(there)
        return there

    def _reach(self, path: str) -> str:
        here, links = os.sep, 0
        todo = _steps(path)
        while todo:
            name = todo.pop()
            path = os.path.normpath(os.path.join(here, name))
            try:
                status = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                self.absent.add(path)
                return ""
            if stat.S_ISLNK(status.st_mode):
                self.entries.add(path)
                links += 1
                if links > _MOST_LINKS:
                    return ""
                target = os.readlink(path)
                here = os.sep if os.path.isabs(target) else here
                todo += _steps(target)
                continue
            here = path
            if todo and not stat.S_ISDIR(status.st_mode):
                self.entries.add(path)
                return ""
            if todo:
                self.folders.add(path)
        return here

    def complete(self, own: str, services: list[str], process: int) -> WhatCounts:
        """All of it.

        :raises CannotTell: if a path is one that the command could misread.
        """
        lists = (self.entries, self.contents, self.folders, self.listed, self.absent)
        if sum(map(len, lists)) > _MOST_PATHS:
            raise CannotTell("it has too many files that count")
        for path in [own, *services, *(path for paths in lists for path in paths)]:
            if _ODD.search(path):
                raise CannotTell("a path has characters that a shell may misread")
        return WhatCounts(own, tuple(services), process, *(tuple(sorted(paths)) for paths in lists))


def _steps(path: str) -> list[str]:
    """The steps of a path, the last one first."""
    return [step for step in reversed(path.split(os.sep)) if step not in ("", os.curdir)]
