# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the mirror as people do: ansible-playbook with a task of k3s_image_mirror, and what it printed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import CHECKOUT, COLLECTIONS


def _play(arguments: dict[str, Any], result_file: Path) -> list[dict[str, Any]]:
    kept = {"content": "{{ result | to_json }}", "dest": str(result_file), "mode": "0600"}
    return [{
        "hosts": "localhost", "connection": "local", "gather_facts": False,
        "tasks": [
            {"k3sfleet.registries.k3s_image_mirror": arguments, "register": "result", "ignore_errors": True},
            {"ansible.builtin.copy": kept, "check_mode": False, "diff": False},
        ],
    }]  # fmt: skip


class Run(NamedTuple):
    """One run: the task's result, everything that was printed, and the exit status."""

    result: dict[str, Any]
    output: str
    status: int

    def image(self, name: str) -> dict[str, Any]:
        """The result of one image, by the end of its name."""
        return next(item for item in self.result["images"] if item["image"].endswith(name))

    @property
    def why(self) -> str:
        """What a failing test is to show."""
        return str(self.result.get("msg") or self.output)

    @property
    def done(self) -> bool:
        """Whether the task, whose failure does not end the play, has done everything."""
        return self.status == 0 and self.result.get("failed") is not True

    def actions(self) -> list[str]:
        return [item["action"] for item in self.result["images"]]


def start(folder: Path, arguments: dict[str, Any], *options: str) -> subprocess.Popen[str]:
    """Begin a run in ``folder``, in a session of its own; secrets go by a file that only its owner may read."""
    folder.mkdir(parents=True, exist_ok=True)
    play = folder / "play.yml"
    play.touch(mode=0o600)
    play.write_text(json.dumps(_play(arguments, folder / "result.json")), encoding="utf-8")
    (folder / "result.json").unlink(missing_ok=True)
    environment = dict(
        os.environ, ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_INVENTORY_UNPARSED_WARNING="false", ANSIBLE_NOCOLOR="1", PYTHONUNBUFFERED="1",
        ANSIBLE_HOME=str(folder / "ansible"), ANSIBLE_PYTHON_INTERPRETER=sys.executable,
    )  # fmt: skip
    return subprocess.Popen(
        [str(Path(sys.executable).parent / "ansible-playbook"), str(play), *options],
        cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def mirror(folder: Path, arguments: dict[str, Any], *options: str) -> Run:
    """Run it to its end."""
    process = start(folder, arguments, *options)
    output, _none = process.communicate(timeout=300)
    kept = folder / "result.json"
    return Run(json.loads(kept.read_text()) if kept.exists() else {}, output, process.returncode)


def strike(process: subprocess.Popen[str]) -> None:
    """End a run with everything that it has started, as a power cut would."""
    found = [process.pid]
    for pid in found:
        # Stopped first, so that it begins nothing else while its children are looked for.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        for listed in Path("/proc/%d/task" % pid).glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in listed.read_text().split()]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
