# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench.ansible_run import ansible
from tests.bench.payload import module_in, packed_in
from tests.fleet.process import FleetError

HERE = ["--inventory", "localhost,", "--connection", "local", "--extra-vars"]
PYTHON = "ansible_pipelining=true ansible_python_interpreter=" + sys.executable

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: One module
      ansible.builtin.ping:
    - name: One command
      ansible.builtin.raw: "true"
    - name: Nothing on the node
      ansible.builtin.debug:
    - name: Something for the ledger
      block:
        - name: A configuration that is refused
          k3sfleet.registries.k3s_registries:
            validate_only: true
            cluster: server/agent
            config: {mirrors: 7}
      rescue:
        - name: Go on
          ansible.builtin.debug:
"""


def test_a_runs_notes_say_what_it_was_spent_on(tmp_path: Path) -> None:
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLAYBOOK)
    run = ansible("ansible-playbook", [*HERE, PYTHON, str(playbook)], notes=True)
    assert [note["task"] for note in run.notes if "task" in note] == [
        "One module", "One command", "Nothing on the node", "A configuration that is refused", "Go on",
    ]  # fmt: skip
    assert [note["remote"] for note in run.notes if "remote" in note] == ["localhost"] * 2, "a module counts once"
    assert sum(note["seconds"] for note in run.notes if "task" in note) < run.seconds
    held = [note for note in run.notes if note.get("ledger") == "held"]
    assert held
    assert all(note["seconds"] > 0 and note["waited"] > 0 for note in held)
    assert run.notes[-1]["bytes"] > len("localhost")
    assert run.changed == {"localhost": 1}
    assert run.lines == len(run.output.splitlines())


def test_what_is_sent_to_a_node_is_weighed_and_kept_from_others(tmp_path: Path) -> None:
    given = [*HERE, PYTHON, "-m", "ansible.builtin.ping", "all"]
    run = ansible("ansible", given, notes=True, memory=True, environment={"BENCH_PAYLOADS": str(tmp_path)})
    (sent,) = tmp_path.iterdir()
    assert [note["payload"] for note in run.notes if "payload" in note] == [sent.stat().st_size]
    assert sent.stat().st_mode & 0o777 == 0o600
    assert module_in(packed_in(sent.read_bytes())) == "ansible.modules.ping"


def test_a_run_that_fails_is_told_with_what_it_said() -> None:
    with pytest.raises(FleetError, match=r"(?s)ansible-playbook .* ended with .*could not be found"):
        ansible("ansible-playbook", [*HERE, PYTHON, "no-such-playbook.yml"])
