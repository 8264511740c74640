# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.bench import recorded
from tests.bench.ansible_run import Run
from tests.report import samples


def test_recorded_nodes_have_every_kind_of_trouble(tmp_path: Path) -> None:
    path = recorded.write_inventory(tmp_path, 120)
    printed = json.loads(subprocess.run([str(path)], check=True, capture_output=True, text=True).stdout)
    known = printed["_meta"]["hostvars"]
    hosts = {name: known[name] for role in ("server", "agent") for name in printed[role]["hosts"]}
    found = [host["_k3s_registries_examined"] for host in hosts.values()]
    assert list(hosts) == sorted(
        hosts, key=lambda name: (not name.startswith("server"), samples.names(120).index(name))
    )
    assert 0 < sum(not one["verdict"]["ok"] for one in found) < len(found) / 2
    assert any(one["info"].get("unreachable") for one in found)
    assert any(one["diagnosis"]["pulls"] for one in found)


def test_a_text_of_a_log_is_no_template() -> None:
    assert recorded.no_template({"a": ["{{ x }}", "plain", 1, None]}) == {
        "a": [{"__ansible_unsafe": "{{ x }}"}, "plain", 1, None]
    }


def test_the_lines_of_a_rollout_name_every_node_once() -> None:
    lines, seconds = recorded.rollout_lines(30)
    assert "30 of 30 nodes restart" in lines[0]
    assert sum(line.startswith("[") for line in lines) == 30
    assert "30 restarted" in lines[-1]
    assert seconds > 0


def _run(notes: list[dict[str, Any]]) -> Run:
    return Run(9.0, "output", 0, notes)


def test_only_the_tasks_after_the_questions_count() -> None:
    notes: list[dict[str, Any]] = [{"task": "role : Show", "seconds": 1.5}, {"task": "role : More", "seconds": 0.5}]
    assert recorded.seconds_of_tasks(_run(notes), "Show") == 2.0
    with pytest.raises(LookupError, match="'Other' was to be the first task"):
        recorded.seconds_of_tasks(_run(notes), "Other")
    with pytest.raises(LookupError, match="none to ask a node"):
        recorded.seconds_of_tasks(_run([*notes, {"remote": "n", "seconds": 1.0}]), "Show")
