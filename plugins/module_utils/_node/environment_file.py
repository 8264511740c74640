# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of an environment file, as systemd and a shell read simple ones."""

from __future__ import annotations

import re
import shlex
from typing import Iterable

from . import files

_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$")


def read(path: str) -> dict[str, str]:
    """The variables of a file; none if it cannot be read."""
    try:
        content = files.read(path).content or b""
    except files.FileProblem:
        return {}
    found = assignments(content.decode("utf-8", "replace").splitlines())
    return {name: " ".join(words(value)) for name, value in found.items()}


def assignments(lines: Iterable[str]) -> dict[str, str]:
    """``NAME=value`` by name, the last one of a name, with the values as they stand there; other lines are left out."""
    return {match.group(1): match.group(2) for match in map(_ASSIGNMENT.match, lines) if match}


def words(text: str) -> list[str]:
    """The words of a command line or value, without their quotes; if those do not match, split at blanks."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
