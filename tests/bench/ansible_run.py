# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of Ansible, timed from its start to its end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, Mapping, NamedTuple, Sequence

from tests.bench.memory import PeakMemory
from tests.fleet.podman import CHECKOUT
from tests.fleet.process import FleetError

_RECAP = re.compile(r"^(\S+)\s+: ok=\d+ +changed=(\d+)", re.M)
_CALLBACKS = CHECKOUT / "tests" / "bench" / "callbacks"
PROGRAMS = ("ansible", "ansible-playbook")


class Run(NamedTuple):
    """What a run has said and taken.

    :ivar memory: the peak of its processes on the controller, PSS in bytes; 0 where it was not looked at.
    :ivar notes: what the callback ``bench_notes`` has noted, where it was asked to.
    """

    seconds: float
    output: str
    memory: int
    notes: list[dict[str, Any]]

    @property
    def lines(self) -> int:
        return len(self.output.splitlines())

    @property
    def changed(self) -> dict[str, int]:
        """The hosts of the recap, with how much was changed there."""
        return {host: int(number) for host, number in _RECAP.findall(self.output)}


def ansible(
    program: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    memory: bool = False,
    notes: bool = False,
) -> Run:
    """Run ``ansible`` or ``ansible-playbook`` of this project's environment.

    :param memory: whether to look at its memory while it runs.
    :param notes: whether the callback takes notes.
    :raises FleetError: if it fails, with the end of what it has said.
    """
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    with TemporaryDirectory(prefix="k3sfleet-bench-") as folder, TemporaryFile() as said:
        kept = Path(folder) / "notes.json"
        given = {**_environment(kept if notes else None), **(environment or {})}
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=given, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        if memory:
            with PeakMemory(process.pid, PROGRAMS) as peak:
                code = process.wait()
        else:
            code = process.wait()
        seconds = time.monotonic() - began
        said.seek(0)
        output = said.read().decode("utf-8", "replace")
        if code:
            raise FleetError("%s ended with %d:\n%s" % (" ".join(command), code, output[-3000:]))
        lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    return Run(seconds, output, peak.bytes if memory else 0, [json.loads(line) for line in lines])


def _environment(notes: Path | None) -> dict[str, str]:
    """This process's own, without what it says to Ansible."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    kept.update(
        ANSIBLE_COLLECTIONS_PATH=str(CHECKOUT / ".ansible" / "collections"),
        ANSIBLE_CONFIG=str(CHECKOUT / "ansible.cfg"),
        ANSIBLE_NOCOLOR="1",
    )
    if notes is not None:
        kept.update(
            ANSIBLE_CALLBACK_PLUGINS=str(_CALLBACKS),
            ANSIBLE_CALLBACKS_ENABLED="bench_notes",
            # Which `ansible` does without otherwise.
            ANSIBLE_LOAD_CALLBACK_PLUGINS="1",
            BENCH_NOTES=str(notes),
        )
    return kept
