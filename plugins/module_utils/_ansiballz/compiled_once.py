# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports of this collection out of AnsiballZ, the zip file in which a module comes to a node: each file compiled once.

Python's own zipimport compiles a file twice: once to tell under which name it would be imported
(``zipimporter.get_filename``, which every import asks), and once to run it. Nothing is kept between the two, and a node
keeps no bytecode of what is sent to it. A module of this collection consists of about a hundred files, and the second
time is a fifth of all that such a call costs a node's processor.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any
from zipimport import zipimporter

_BELOW = __name__.rsplit(".", 2)[0] + "."


class _Source:
    """Runs a file of the zip as a module, shows its lines in a traceback, and gives other files of the zip to it."""

    def __init__(self, text: str, place: str, archive: zipimporter) -> None:
        self._text, self._place = text, place
        self.get_data = archive.get_data

    def create_module(self, spec: ModuleSpec) -> None:
        """None: Python's usual kind of module."""

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._text, self._place, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - an import

    def get_source(self, _name: str) -> str:
        return self._text


class _Files:
    """Finds the collection's files in the zip."""

    def __init__(self, archive: zipimporter) -> None:
        self._archive = archive

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        """How to import ``name``; None for what is not this collection's, or not in the zip."""
        if not name.startswith(_BELOW):
            return None
        for end, is_package in ((".py", False), ("/__init__.py", True)):
            inside = name.replace(".", "/") + end
            try:
                text = self._archive.get_data(inside).decode("utf-8")
            except OSError:
                continue
            place = "%s/%s" % (self._archive.archive, inside)
            spec = ModuleSpec(name, _Source(text, place, self._archive), origin=place, is_package=is_package)  # type: ignore[arg-type]
            spec.has_location = True
            if spec.submodule_search_locations is not None:
                spec.submodule_search_locations.append(place.rpartition("/")[0])
            return spec
        return None


def begin() -> None:
    """From here on. Nothing changes where the collection does not come out of a zip file: under a test, in a process of
    the controller."""
    loader = globals()["__loader__"]
    if isinstance(loader, zipimporter):
        sys.meta_path.insert(0, _Files(loader))  # type: ignore[arg-type]
