# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another user, for tests that run as root or not: what is given to them is really theirs, or counts as theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import folders

STRANGER = 4711


class Strangers:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._theirs: set[tuple[int, int]] = set()
        self._is_mine = folders.is_mine
        monkeypatch.setattr(folders, "is_mine", self._looks_mine)

    def _looks_mine(self, status: os.stat_result) -> bool:
        return self._is_mine(status) and (status.st_dev, status.st_ino) not in self._theirs

    def give(self, *paths: Path) -> None:
        """Give files, folders and links themselves to another user."""
        for path in paths:
            if os.geteuid() == 0:
                os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
            else:
                status = path.lstat()
                self._theirs.add((status.st_dev, status.st_ino))


def tree(folder: Path) -> dict[str, str]:
    """What lies below a folder: links by what they lead to, files by their content, anything else by its kind."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = "-> " + os.readlink(path)
        elif path.is_file():
            found[name] = path.read_text()
        elif not path.is_dir():
            found[name] = "special"
    return found
