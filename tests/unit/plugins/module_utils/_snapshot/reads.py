# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches which paths this process asks the system about."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, Callable, Iterator

_CALLS = ("stat", "lstat", "access", "readlink", "listdir", "scandir", "open", "statvfs", "getxattr", "listxattr")
_AUDITED = ("open", "os.listdir", "os.scandir", "os.listxattr", "os.getxattr")
_watching: list[list[tuple[str, str]]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in _AUDITED and isinstance(arguments[0], str):
        _watching[-1].append((event.rpartition(".")[2], arguments[0]))


_hooked: list[bool] = []


@contextlib.contextmanager
def watched() -> Iterator[list[tuple[str, str]]]:
    """What is asked in the block: names of calls, and absolute paths. An audit hook sees what is opened and listed,
    whoever does it; it does not see ``stat`` and its like, which are wrapped."""
    if not _hooked:
        # It cannot be removed again.
        sys.addaudithook(_audit)
        _hooked.append(True)
    seen: list[tuple[str, str]] = []
    originals = {name: getattr(os, name) for name in _CALLS}
    readlink = os.readlink

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watch(path: Any = ".", *arguments: Any, **named: Any) -> Any:
            if isinstance(path, (str, bytes)):
                text = os.fsdecode(path)
                if named.get("dir_fd") is not None:
                    text = os.path.join(readlink("/proc/self/fd/%d" % named["dir_fd"]), text)
                seen.append((name, text))
            return call(path, *arguments, **named)

        return watch

    for name, call in originals.items():
        setattr(os, name, wrapped(name, call))
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.pop()
        for name, call in originals.items():
            setattr(os, name, call)
