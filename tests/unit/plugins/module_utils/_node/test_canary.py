# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary's pull: what is asked, and what is said where it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import kubernetes
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.canary import is_present, pull
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.command import Outcome
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.paths import NodePaths, node_paths

IMAGE = "docker.io/team/app:1"
SECRET = "hunter2hunter2"


class Crictl:
    def __init__(self, known: bool, outcome: Outcome) -> None:
        self.known = known
        self.outcome = outcome
        self.asked: list[tuple[Any, float]] = []

    def __call__(self, paths: NodePaths, *arguments: str, timeout: float = 10.0) -> Outcome:
        self.asked.append((arguments, timeout))
        return Outcome(0 if self.known else 1, "", "") if arguments[0] == "inspecti" else self.outcome


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    return node_paths(data_dir=str(tmp_path))


@pytest.mark.parametrize("known", [True, False])
def test_a_pull_that_succeeds(paths: NodePaths, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    crictl = Crictl(known, Outcome(0, "", ""))
    monkeypatch.setattr(kubernetes, "crictl", crictl)
    assert is_present(paths, "team/app:1") is known
    found = pull(paths, "team/app:1", 33)
    assert (found["image"], found["ok"], found["cause"]) == (IMAGE, True, "ok")
    assert crictl.asked[-1] == (("pull", "team/app:1"), 33)


def test_a_pull_that_fails_is_explained_from_the_log(paths: NodePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Path(paths.containerd_log)
    log.parent.mkdir(parents=True)
    log.write_text(
        'time="2033-05-18T03:33:21Z" level=info msg="PullImage \\"docker.io/team/app:1\\""\n'
        'time="2033-05-18T03:33:21Z" level=info msg="trying next host after status: 404 Not Found" host="m:5000"\n'
        'time="2033-05-18T03:33:22Z" level=error msg="PullImage \\"docker.io/team/app:1\\" failed" '
        'error="rpc error: code = NotFound desc = failed to pull and unpack image \\"docker.io/team/app:1\\": failed '
        'to resolve reference \\"docker.io/team/app:1\\": docker.io/team/app:1: not found"\n'
    )
    monkeypatch.setattr(kubernetes, "crictl", Crictl(False, Outcome(1, "", "not found")))
    config = {"mirrors": {"docker.io": {"endpoint": ["https://m:5000"]}}, "configs": {}}
    found = pull(paths, IMAGE, 10, config, now=lambda: 2_000_000_001.0)
    assert (found["ok"], found["cause"], found["endpoint"]) == (False, "not_found", "m:5000")
    assert "Push docker.io/team/app:1 to m:5000" in found["fix"]
    assert len(found["evidence"]) == 2


def test_without_a_log_the_runtime_s_own_words(paths: NodePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "crictl", Crictl(False, Outcome(1, "", "https://u:%s@m refused" % SECRET)))
    found = pull(paths, IMAGE, 10)
    assert (found["cause"], found["ok"]) == ("unknown", False)
    assert "refused" in found["message"]
    assert SECRET not in json.dumps(found)


def test_a_pull_that_does_not_end_is_a_timeout(paths: NodePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "crictl", Crictl(False, Outcome(None, "", "k3s did not answer within 10 s")))
    found = pull(paths, IMAGE, 10)
    assert (found["cause"], found["ok"]) == ("timeout", False)
    assert "did not answer within 10 s" in found["message"]


def test_a_pull_that_the_log_does_not_explain_comes_with_the_logs_end(
    paths: NodePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Path(paths.containerd_log)
    log.parent.mkdir(parents=True)
    lines = ['time="2033" level=info msg="line %d" x="https://u:%s@m"' % (number, SECRET) for number in range(2000)]
    log.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(kubernetes, "crictl", Crictl(False, Outcome(None, "", "k3s did not answer within 10 s")))
    found = pull(paths, IMAGE, 10)
    assert [line.split('"')[3] for line in found["evidence"]] == ["line %d" % number for number in range(1970, 2000)]
    assert SECRET not in json.dumps(found)
    log.write_text("y" * (70 << 10) + " password=%s\nthe end\n" % SECRET)
    assert pull(paths, IMAGE, 10)["evidence"] == ["the end"]


def test_what_the_caller_knows_of_the_configuration_needs_no_file(
    paths: NodePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes, "crictl", Crictl(False, Outcome(1, "", "denied")))
    assert pull(paths, IMAGE, 10, {})["message"] == "The runtime said: denied"
