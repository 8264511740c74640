# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`verify` writes each node's metrics, and says on which node it cannot; `remove` removes them."""

from __future__ import annotations

import stat
import time
from pathlib import Path
from typing import Any

import pytest
from local_fleet import Done, run

from tests import results
from tests.monitoring.samples import read

FLEET = {"server": ["server-1"], "agent": ["agent-1"]}
NAME = "k3s_registries.prom"


def variables(folder: Path) -> dict[str, Any]:
    return {
        "k3s_registries_verify_not_installed": "allow",
        "k3s_registries_metrics_dir": str(folder / "metrics-of-{{ inventory_hostname }}"),
    }


def metrics_of(folder: Path, host: str) -> Path:
    found = folder / ("metrics-of-" + host)
    found.mkdir(exist_ok=True)
    return found / NAME


def play(folder: Path, playbook: str, *arguments: str, **more: Any) -> Done:
    return run(folder, playbook, FLEET, *arguments, variables={**variables(folder), **more})


@pytest.mark.nightly
def test_from_the_first_run_to_the_removal(tmp_path: Path) -> None:
    files = [metrics_of(tmp_path, host) for host in ("server-1", "agent-1")]
    for file in files:
        file.write_text("old 1\n")
    check = play(tmp_path, "verify", "--check")
    assert (check.status, [file.read_text() for file in files]) == (0, ["old 1\n"] * 2), check.output

    began = int(time.time())
    done = play(tmp_path, "verify")
    assert (done.status, done.changed) == (0, {"server-1": 0, "agent-1": 0}), done.output
    for file in files:
        found = read(file.read_text("utf-8"))
        assert found["k3s_registries_verify_passed"] == {(): 1}
        assert found["k3s_registries_state"][(("state", "not_installed"),)] == 1
        assert began <= found["k3s_registries_last_run_timestamp_seconds"][()] <= time.time()
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        assert [path.name for path in file.parent.iterdir()] == [NAME]

    check = play(tmp_path, "remove", "--check")
    assert (check.status, check.changed) == (0, {"server-1": 1, "agent-1": 1}), check.output
    assert [file.exists() for file in files] == [True, True]
    done = play(tmp_path, "remove")
    assert (done.status, done.changed) == (0, {"server-1": 1, "agent-1": 1}), done.output
    assert [file.exists() for file in files] == [False, False]


def test_a_node_without_the_folder_fails_and_all_others_and_results_are_there(tmp_path: Path) -> None:
    file = metrics_of(tmp_path, "server-1")
    path = tmp_path / "verify.json"
    done = play(tmp_path, "verify", k3s_registries_verify_file=str(path))
    assert done.status == 2
    assert (
        "FAILED agent-1\n  metrics_not_written: the folder %s/metrics-of-agent-1 cannot be found" % tmp_path
        in done.output
    )
    assert "1 of 2 nodes failed: agent-1" in done.output
    assert file.exists()
    hosts = results.valid(path)["hosts"]
    assert {name: [item["code"] for item in host["failures"]] for name, host in hosts.items()} == {
        "agent-1": ["metrics_not_written"], "server-1": [],
    }  # fmt: skip
    assert (hosts["agent-1"]["info"]["state"], hosts["agent-1"]["condition"]) == ("not_installed", "idle")


def test_a_folder_that_is_no_absolute_path_stops_before_any_node_is_asked(tmp_path: Path) -> None:
    done = play(tmp_path, "verify", k3s_registries_metrics_dir="node-exporter")
    assert done.status == 2
    assert "k3s_registries_metrics_dir is node-exporter: it must be a folder on the nodes" in done.output
    assert "Ask each node" not in done.output
