# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interpreter of the node's own for a program that root starts years from now.

The one that runs the collection's modules is not always it: it can lie in a virtual environment that is removed one
day, or have a version in its name that the next upgrade of the system replaces.
"""

from __future__ import annotations

import os
import sys
from typing import Callable, Iterator

from ansible_collections.k3sfleet.registries.plugins.module_utils._node import command, folders

OPTIONS = "-ISB"
"""Nothing of the environment, of the user's or of the folder where the program lies; no site-packages; nothing is
written."""

_USUAL = ("/usr/bin/python3", "/usr/libexec/platform-python", "/usr/local/bin/python3")
_SUPPORTED = "import sys; sys.exit(sys.version_info < (3, 8))"
# Linux before 5.1 reads so much of a first line, its end included.
_LONGEST_LINE = 127
_SECONDS = 10.0


class NoInterpreter(Exception):
    """There is none that can be used; the text says why for each, and what to do."""


def first_line(interpreter: str) -> str:
    """The line that has the kernel start a program with an interpreter."""
    return "#!%s %s\n" % (interpreter, OPTIONS)


def find(running: str = sys.executable, runs: Callable[[str], bool] | None = None) -> str:
    """The interpreter's absolute path. The same node gives the same one again, as long as it can be used.

    :param running: the interpreter of this process.
    :param runs: whether one starts and is new enough; asks it by default.
    :raises NoInterpreter: if there is none.
    """
    refused = []
    for path in dict.fromkeys(_candidates(running)):
        trouble = _trouble_with(path)
        if not trouble and not (runs or _runs)(path):
            trouble = "it does not start, or is older than Python 3.8"
        if not trouble:
            return path
        refused.append("%s: %s" % (path, trouble))
    raise NoInterpreter(
        "no Python was found that root could be given for the credential store (%s). Install python3 of the "
        "distribution" % "; ".join(refused or ["none is installed"])
    )


def _candidates(running: str) -> Iterator[str]:
    for path in (*_USUAL, running, os.path.realpath(running) if running else ""):
        if path and os.path.exists(path):
            yield path


def _trouble_with(path: str) -> str:
    """Why a path cannot stand in a program's first line, or who else could put something there; "" for neither."""
    if not os.path.isabs(path) or any(letter.isspace() or not letter.isprintable() for letter in path):
        return "its path cannot stand in the first line of a program"
    if len(os.fsencode(first_line(path))) > _LONGEST_LINE:
        return "its path is too long for the first line of a program"
    try:
        with folders.place_of(path, owned=True, through_link=True) as place:
            status = place.status()
            return folders.trouble_with(status, place.path) if status is not None else "it is not there"
    except (folders.Untrusted, OSError) as error:
        return str(error)


def _runs(path: str) -> bool:
    return command.run([path, OPTIONS + "c", _SUPPORTED], _SECONDS).ok
