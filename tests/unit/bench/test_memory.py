# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.bench.memory import PeakMemory, Process, descendants, processes, pss

TREE = {
    100: (1, b"/v/bin/python\0/v/bin/ansible-playbook\0site.yml\0", 80),
    101: (100, b"/v/bin/python\0/v/bin/ansible-playbook\0site.yml\0", 7),
    102: (101, b"/bin/sh\0-c\0/v/bin/python\0", 1),
    103: (102, b"/v/bin/python\0", 40),
    200: (1, b"/v/bin/python\0/v/bin/ansible-playbook\0other.yml\0", 90),
}


def _proc(folder: Path) -> Path:
    for pid, (parent, command, kilobytes) in TREE.items():
        entry = folder / str(pid)
        entry.mkdir(parents=True)
        (entry / "stat").write_text("%d (a ) name) S %d 0" % (pid, parent))
        (entry / "cmdline").write_bytes(command)
        (entry / "smaps_rollup").write_text("head\nRss:  999 kB\nPss:  %d kB\nPss_Anon:  3 kB\n" % kilobytes)
    (folder / "self").mkdir()
    (folder / "300").mkdir()
    return folder


def test_the_controllers_processes_are_counted_and_what_runs_on_nodes_is_not(tmp_path: Path) -> None:
    peak = PeakMemory(100, ("ansible-playbook",), proc=_proc(tmp_path))
    peak.look()
    assert peak.bytes == (80 + 7) * 1024
    (tmp_path / "101/smaps_rollup").unlink()
    peak.look()
    assert peak.bytes == (80 + 7) * 1024, "the most that it has been"


def test_a_tree_is_all_that_descends() -> None:
    found = [Process(pid, parent, command) for pid, (parent, command, _size) in TREE.items()]
    assert [one.pid for one in descendants(100, found)] == [100, 101, 102, 103]
    assert descendants(999, found) == []


def test_a_process_of_this_machine_is_found_and_weighed() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        proc = Path("/proc")
        assert child.pid in [one.pid for one in descendants(os.getpid(), processes(proc))]
        assert pss(os.getpid(), proc) > 1_000_000
    finally:
        child.communicate(b"\n")
    assert pss(child.pid, proc) == 0
