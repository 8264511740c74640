# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a program and everything that it has started on the controller take together, while it runs.

PSS counts a page that several processes share once, divided among them. Ansible's workers are forks that share most of
theirs, so that the sum of what each has (RSS) would count the same memory twenty times.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Iterable, Mapping, NamedTuple


class Process(NamedTuple):
    pid: int
    parent: int
    command: bytes

    @property
    def program(self) -> str:
        """What runs: its own name, or that of the script that Python runs."""
        names = [word.rpartition(b"/")[2].decode("utf-8", "replace") for word in self.command.split(b"\0")[:2]]
        return names[1] if len(names) > 1 and names[0].startswith("python") else names[0]


class PeakMemory:
    """The most PSS, in bytes, that the process ``root`` and its descendants have had, looked at every ``interval``
    seconds.

    With local connections, what runs on the nodes descends from Ansible as well, and is left out: every process that is
    none of ``programs``, nor a fork of one, which has the same command line.
    """

    def __init__(self, root: int, programs: tuple[str, ...], interval: float = 1.0, proc: Path = Path("/proc")) -> None:
        self.bytes = 0
        self._root, self._programs, self._proc = root, programs, proc
        self._interval = interval
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        # Not at once: the program has just begun.
        while not self._ended.wait(self._interval):
            self.look()

    def look(self) -> None:
        """Add what there is at this moment."""
        tree = descendants(self._root, processes(self._proc))
        ours = [one.pid for one in tree if one.program in self._programs]
        self.bytes = max(self.bytes, sum(pss(pid, self._proc) for pid in ours))


def processes(proc: Path) -> list[Process]:
    """What runs now; a process that ends meanwhile is left out."""
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name may contain anything, parentheses included; it ends at the last ")".
            parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            found.append(Process(int(entry.name), parent, (entry / "cmdline").read_bytes()))
        except (OSError, ValueError, IndexError):
            continue
    return found


def descendants(root: int, found: Iterable[Process]) -> list[Process]:
    """``root`` and all that descend from it."""
    by_pid: Mapping[int, Process] = {one.pid: one for one in found}
    return [one for one in by_pid.values() if _descends(one, root, by_pid)]


def _descends(one: Process | None, root: int, by_pid: Mapping[int, Process]) -> bool:
    seen = set()
    while one is not None and one.pid not in seen:
        if one.pid == root:
            return True
        seen.add(one.pid)
        one = by_pid.get(one.parent)
    return False


def pss(pid: int, proc: Path) -> int:
    """Bytes; 0 for a process that has ended."""
    try:
        lines = (proc / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
