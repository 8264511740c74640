# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files lint looks at: those that are named, those of a folder, and what a pattern matches."""

from __future__ import annotations

import glob
import os
import re
from typing import Iterable

#: What a registries.yaml is called in a folder that is looked through.
NAME = re.compile(r"registries\.ya?ml\Z")
_PATTERN = re.compile(r"[*?\[]")


class FilesProblem(ValueError):
    """There is nothing to look at, or it cannot be read; the text names it."""


def find(given: Iterable[str], folder: str = "") -> list[str]:
    """The paths of the files, each once, in the order given.

    :param given: paths of files, of folders that are looked through for files whose name ends in `registries.yaml`,
        and patterns, in which `**` stands for any folders.
    :param folder: what relative paths are relative to; empty: the current folder.
    :raises FilesProblem: if one of them leads to no file.
    """
    found: dict[str, None] = {}
    for name in given:
        path = os.path.join(folder, os.path.expanduser(name))
        if os.path.isdir(path):
            paths = _in_folder(path)
            if not paths:
                raise FilesProblem(f"{name}: the folder holds no file whose name ends in registries.yaml")
        elif os.path.exists(path) or not _PATTERN.search(name):
            paths = [path]
        else:
            paths = sorted(item for item in glob.glob(path, recursive=True) if os.path.isfile(item))
            if not paths:
                raise FilesProblem(f"{name}: no file matches")
        found.update(dict.fromkeys(os.path.relpath(item, folder or None) if folder else item for item in paths))
    return list(found)


def read(path: str, folder: str = "") -> bytes:
    """The bytes of a file.

    :raises FilesProblem: if it cannot be read.
    """
    place = os.path.join(folder, path)
    if os.path.exists(place) and not os.path.isfile(place):
        # A FIFO would be waited for as long as nobody writes to it.
        raise FilesProblem(f"{path} cannot be read: it is not a regular file")
    try:
        with open(place, "rb") as handle:
            return handle.read()
    except OSError as error:
        raise FilesProblem(f"{path} cannot be read: {error.strerror or error}") from None


def _in_folder(folder: str) -> list[str]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.join(place, name) for name in sorted(names) if NAME.search(name)]
    return found
