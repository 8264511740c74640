# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that are somebody else's: what they answer to a module is theirs to choose, and harms nobody but themselves.

Each is this machine with an interpreter of its own, which lets no module run and prints an answer.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import CHECKOUT, COLLECTIONS, mostly_nightly

FAKED = "ok: [good] => everything is fine"
PAINT = f"evil\x1b[2K\x1b[1A\r{FAKED}\n{FAKED}\n\u202e\u2028\x9b31m"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028]")


def _answers(folder: Path) -> dict[str, str]:
    """What each node prints. Tasks with run_once use the variables of the first."""
    elsewhere = str(folder / "elsewhere.html")
    words = [{"message": PAINT, "image": PAINT, "cause": PAINT, "registry": PAINT, "endpoint": PAINT, "fix": PAINT}]
    answers = {
        "facts": {
            "changed": False, "ansible_facts": {
                "k3s_registries_report_file": elsewhere, "k3s_registries": {}, "ansible_python_interpreter": "/bin/x",
                "k3s_registries_agent_group": "none",
            },
            "add_host": {"host_name": "good", "host_vars": {"ansible_host": "192.0.2.1"}}, "endpoints": [], "pulls": [],
            "ansible_stats": {"data": {"k3s_registries_report": FAKED}},
        },
        "warns": {"changed": False, "failed": True, "msg": "no\n" + PAINT, "warnings": [PAINT], "exception": PAINT},
        "words": {"changed": False, "endpoints": words, "pulls": words, "warnings": [PAINT], "info": {"state": PAINT}},
        "keys": {"changed": False, "_ansible_" + PAINT: PAINT, PAINT: PAINT, "_ansible_verbose_always": PAINT},
        "diff": {"changed": True, "diff": {"before": PAINT, "after": PAINT, "prepared": PAINT}},
        "types": {"changed": "yes", "failed": "false", "msg": ["x", PAINT], "endpoints": "x", "pulls": {"a": PAINT}},
        "skips": {"changed": False, "skipped": True, "skip_reason": PAINT, "results": [{"msg": PAINT, "item": PAINT}]},
        "gone": {"unreachable": True, "msg": PAINT},
        "code": {"failed": True, "msg": "{{ lookup('pipe', 'touch %s/executed') }}" % folder},
    }  # fmt: skip
    return {
        **{name: json.dumps(answer) for name, answer in answers.items()},
        "junk": '{"changed": false}\n' + PAINT,
        "none": PAINT,
        "deep": '{"changed": false, "endpoints": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "nan": '{"changed": false, "endpoints": [{"status": NaN, "times": {"tls": Infinity}}], "pulls": NaN}',
        "number": '{"changed": false, "endpoints": [{"status": ' + "9" * 4000 + "}]}",
        "twice": '{"changed": false, "failed": true, "failed": false, "msg": 1, "endpoints": [], "pulls": []}',
        "half": r'{"failed": true, "msg": "\ud800", "endpoints": [{"message": "\udfff"}], "warnings": ["\ud800"]}',
        "list": "[1, 2, 3]",
    }


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    evil = {}
    for name, answer in _answers(tmp_path).items():
        (tmp_path / name).write_text(answer, encoding="utf-8")
        interpreter = tmp_path / (name + "-python")
        interpreter.write_text(f"#!/bin/sh\ncat > /dev/null\ncat {tmp_path / name}\n", encoding="utf-8")
        interpreter.chmod(0o755)
        evil[name] = {"ansible_python_interpreter": str(interpreter)}
    variables = {
        "ansible_connection": "local", "ansible_become": False, "ansible_pipelining": True,
        "ansible_python_interpreter": sys.executable, "k3s_registries_report_file": str(tmp_path / "report.html"),
        "k3s_registries_data_dir": str(tmp_path / "data"), "k3s_registries_config_dir": str(tmp_path / "etc"),
    }  # fmt: skip
    path = tmp_path / "inventory.yml"
    groups = {"server": {"hosts": {**evil, "good": {}}}, "agent": {"hosts": {}}}
    path.write_text(yaml.safe_dump({"k3s_cluster": {"children": groups, "vars": variables}}, sort_keys=False))
    return path


@pytest.mark.parametrize("playbook", mostly_nightly(["verify", "diagnose", "report", "site"], "report"))
def test_nodes_that_answer_what_they_like(inventory: Path, playbook: str) -> None:
    """Nothing but text reaches the terminal, nothing is written elsewhere, and the sound node is judged for itself."""
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), "--forks", "8", "-vv",
            "--diff", "-e", json.dumps({"k3s_registries": {"mirrors": {"docker.io": {"endpoint": ["https://registry.test"]}}}}),
            f"playbooks/{playbook}.yml",
        ],
        cwd=CHECKOUT, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=300,
        env={
            **os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_HOME": str(inventory.parent / "ansible"),
        },
    )  # fmt: skip
    output = (run.stdout + run.stderr).decode("utf-8")
    assert CONTROL.findall(output) == []
    assert [line for line in output.splitlines() if line.startswith(FAKED)] == []
    assert "PLAY RECAP" in output
    assert "Traceback" not in output
    assert not (inventory.parent / "elsewhere.html").exists()
    assert not (inventory.parent / "executed").exists()
    if playbook == "report":
        document = json.loads((inventory.parent / "report.json").read_text(encoding="utf-8"))
        assert set(document["hosts"]) == {*_answers(inventory.parent), "good"}
        assert document["hosts"]["good"]["info"]["state"] == "not_installed"
    if playbook == "verify":
        rows = dict(line.split()[:2] for line in output.splitlines() if re.match(r"\w+ +(FAILED|ok|not) ", line))
        assert set(rows) >= {*_answers(inventory.parent), "good"}, rows
