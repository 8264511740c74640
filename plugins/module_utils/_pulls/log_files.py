# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a log's rotated files and reads them, oldest first, in bounded memory.

K3s rotates containerd.log with lumberjack: ``containerd-2026-11-25T02-05-36.435.log``, later compressed to
``.log.gz``, three of them of 50 MB each. Files that logrotate made (``containerd.log.1``) are read as well.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from typing import Callable, Iterator

from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import names_in, regular_only

from .reader import MAX_LINE

_STAMP = r"-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)"


def find_log_files(path: str, since: float | None = None) -> list[str]:
    """The files of a log, oldest first, `path` itself last; only those that exist.

    :param since: seconds since 1970; a rotated file whose last line is older is left out.
    """
    folder, name = os.path.split(path)
    stem, extension = os.path.splitext(name)
    rotated_by_time = re.compile(re.escape(stem) + _STAMP + re.escape(extension) + r"(\.gz)?")
    rotated_by_number = re.compile(re.escape(name) + r"\.(\d+)(\.gz)?")
    found: dict[tuple[int, str], str] = {}
    for candidate in names_in(folder or "."):
        match = rotated_by_time.fullmatch(candidate)
        key = (0, match.group(1)) if match else None
        if match is None:
            match = rotated_by_number.fullmatch(candidate)
            key = (1, f"{10**9 - int(match.group(1)[:9]):010d}") if match else None
        # While it compresses, lumberjack has both: the plain file sorts first and is the complete one.
        if key and key not in found and not _older(os.path.join(folder, candidate), since):
            found[key] = os.path.join(folder, candidate)
    files = [found[key] for key in sorted(found)]
    return [*files, path] if os.path.isfile(path) else files


def _older(path: str, since: float | None) -> bool:
    try:
        return since is not None and os.path.getmtime(path) < since
    except OSError:
        return True


def read_log_file(path: str) -> Iterator[bytes]:
    """The lines of a file, gzip or not, each cut at the length that a reader looks at.

    A compressed file that ends early gives what can be read of it.

    :raises OSError: if the file cannot be opened or read.
    """
    with open(path, "rb", opener=regular_only) as plain:
        compressed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        if not compressed:
            yield from _lines(plain.readline)
            return
        with gzip.GzipFile(fileobj=plain) as unpacked:
            try:
                yield from _lines(unpacked.readline)
            except (EOFError, zlib.error, gzip.BadGzipFile):
                return


def _lines(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    whole = True
    while True:
        line = readline(MAX_LINE)
        if not line:
            return
        if whole:
            yield line
        whole = line.endswith(b"\n")
