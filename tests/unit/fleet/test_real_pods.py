# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in runc's place on nodes with a real K3s."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fleet import real_pods
from tests.fleet.process import FleetError
from tests.fleet.state import Fleet, Registry


def _runc(folder: Path) -> Path:
    wrapper, real = folder / "runc", folder / "runc.real"
    wrapper.write_text(real_pods.WRAPPER)
    real.write_text('#!/bin/sh\necho "$@" > %s/asked\nexit 3\n' % folder)
    for path in (wrapper, real):
        path.chmod(0o755)
    return wrapper


@pytest.mark.parametrize("words", [["--bundle", "%s"], ["-b", "%s"], ["--bundle=%s"]])
def test_what_cannot_be_done_here_is_taken_out_of_the_bundle(tmp_path: Path, words: list[str]) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    config: dict[str, Any] = {
        "process": {"oomScoreAdj": -998, "args": ["/pause"]},
        "mounts": [{"type": "proc"}, {"type": "cgroup"}],
        "root": {"path": "rootfs"},
    }
    (bundle / "config.json").write_text(json.dumps(config))
    command = ["create", *(word.replace("%s", str(bundle)) for word in words), "the-id"]
    done = subprocess.run([str(_runc(tmp_path)), *command], check=False)
    assert done.returncode == 3
    assert (tmp_path / "asked").read_text().split() == command
    left = json.loads((bundle / "config.json").read_text())
    assert left == {**config, "process": {"oomScoreAdj": 0, "args": ["/pause"]}, "mounts": [{"type": "proc"}]}


def test_other_commands_pass_as_they_are(tmp_path: Path) -> None:
    assert subprocess.run([str(_runc(tmp_path)), "delete", "--force", "the-id"], check=False).returncode == 3
    assert (tmp_path / "asked").read_text() == "delete --force the-id\n"


def _fleet(k3s: str) -> Fleet:
    place = Registry("r.test", 5000, "10.0.0.2", "robot", "secret")
    return Fleet("f", "k3s", k3s, "v1", "10.0.0.0/24", "t", 40, place)


def test_a_stand_in_runs_none() -> None:
    with pytest.raises(FleetError, match="no real K3s"):
        real_pods.allow(_fleet("stand-in"))


def test_a_new_cluster_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def kubectl(_fleet: Fleet, *words: str) -> str:
        asked.append(words)
        if len(asked) < 3:
            raise FleetError('serviceaccounts "default" not found')
        return ""

    monkeypatch.setattr(real_pods.workloads, "kubectl", kubectl)
    monkeypatch.setattr(real_pods.time, "sleep", lambda _seconds: None)
    real_pods.allow(_fleet("real"))
    assert asked == [("get", "serviceaccount", "default")] * 3
    monkeypatch.setattr(real_pods, "_PATIENCE", -1.0)
    asked.clear()
    with pytest.raises(FleetError, match="not found"):
        real_pods.allow(_fleet("real"))
