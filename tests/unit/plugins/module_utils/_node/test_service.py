# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd's and OpenRC's words, by their own commands as small scripts on the PATH. The real ones run on the fleet."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import service
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.service import OpenRC, ServiceProblem, Systemd


class Commands:
    """Scripts that note their arguments and answer with a fixed text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"

    def answer(self, name: str, text: str, status: int = 0) -> None:
        script = self.folder / name
        script.write_text(
            "#!/bin/sh\necho %s \"$@\" >> %s\ncat <<'END'\n%s\nEND\nexit %d\n" % (name, self.calls, text, status)
        )
        script.chmod(0o755)

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", "%s:%s" % (folder, os.environ["PATH"]))
    return Commands(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A node with OpenRC: a service script for k3s, its log and the pid file of supervise-daemon."""
    for name in ("etc/init.d", "var/log", "run/openrc"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/init.d/k3s").touch()
    (tmp_path / "run/k3s.pid").write_text("%d\n" % os.getpid())
    return tmp_path


@pytest.mark.parametrize(
    ("load", "active", "state"),
    [
        ("loaded", "active", "running"),
        ("loaded", "reloading", "running"),
        ("loaded", "activating", "starting"),
        ("loaded", "deactivating", "starting"),
        ("loaded", "failed", "failed"),
        ("loaded", "inactive", "stopped"),
    ],
)
def test_what_systemd_says(commands: Commands, load: str, active: str, state: str) -> None:
    commands.answer(
        "systemctl", "MainPID=%d\nNRestarts=2\nLoadState=%s\nActiveState=%s\nSubState=x" % (os.getpid(), load, active)
    )
    found = Systemd("k3s-agent").state()
    assert (found.state, found.main_pid, found.restarts) == (state, os.getpid(), 2)
    assert found.started == pytest.approx(service.process_started(os.getpid()), abs=1.0)
    assert commands.called()[0].endswith("k3s-agent.service")


@pytest.mark.parametrize(("job", "state"), [("", "stopped"), ("0", "stopped"), ("1234", "starting")])
def test_a_unit_between_its_stop_and_its_start_was_not_stopped(commands: Commands, job: str, state: str) -> None:
    """``systemctl restart`` takes it through ``inactive``, for longer on a busy machine."""
    commands.answer("systemctl", "MainPID=0\nNRestarts=0\nLoadState=loaded\nActiveState=inactive\nJob=" + job)
    assert Systemd("k3s").state().state == state


def test_a_unit_that_is_not_there_is_absent(commands: Commands) -> None:
    commands.answer("systemctl", "MainPID=0\nNRestarts=0\nLoadState=not-found\nActiveState=inactive")
    assert Systemd("k3s-agent").state() == service.ABSENT


def test_systemd_is_asked_to_restart_without_waiting(commands: Commands) -> None:
    commands.answer("systemctl", "")
    Systemd("k3s").restart()
    assert commands.called() == [
        "systemctl reset-failed k3s.service",
        "systemctl restart --no-block k3s.service",
    ]


def test_a_refusal_of_systemd_is_told(commands: Commands) -> None:
    commands.answer("systemctl", "", status=1)
    with pytest.raises(ServiceProblem, match="systemd refused to restart k3s"):
        Systemd("k3s").restart()
    with pytest.raises(ServiceProblem, match="systemctl show k3s failed"):
        Systemd("k3s").state()


@pytest.mark.parametrize(
    ("text", "status", "state"),
    [
        (" * status: started", 0, "running"),
        (" * status: starting", 8, "starting"),
        (" * status: stopped", 3, "stopped"),
        (" * status: crashed", 32, "failed"),
        (" * You are attempting to run an openrc service on a\n * status: started 00:02:11 (3)", 0, "running"),
    ],
)
def test_what_openrc_says(commands: Commands, root: Path, text: str, status: int, state: str) -> None:
    commands.answer("rc-service", text, status)
    found = OpenRC("k3s", str(root)).state()
    assert found.state == state
    assert found.main_pid
    assert commands.called() == ["rc-service --nocolor k3s status"]


def test_openrc_without_the_service_or_with_an_answer_that_says_nothing(commands: Commands, root: Path) -> None:
    commands.answer("rc-service", "what?", 1)
    assert OpenRC("k3s-agent", str(root)).state() == ("absent", 0, 0.0, 0)
    with pytest.raises(ServiceProblem, match="what"):
        OpenRC("k3s", str(root)).state()


def test_a_refusal_of_openrc_is_told(commands: Commands, root: Path) -> None:
    commands.answer("rc-service", " * ERROR: k3s failed to start", 1)
    with pytest.raises(ServiceProblem, match="OpenRC refused to restart k3s: .* failed to start"):
        OpenRC("k3s", str(root)).restart()
    assert commands.called() == ["rc-service --nocolor k3s restart"]


def test_openrcs_log_begins_at_the_mark_and_anew_after_rotation(root: Path) -> None:
    log = root / "var/log/k3s.log"
    k3s = OpenRC("k3s", str(root))
    assert (k3s.mark(), k3s.log(0.0, 5)) == (0.0, [])
    log.write_text("server is not ready: yaml: line 2\n")
    mark = k3s.mark()
    assert k3s.log(mark, 5) == [], "what a broken file made it say before the restart is no sign of this restart"
    with log.open("a") as handle:
        handle.write("one\ntwo\nthree\n")
    assert k3s.log(mark, 2) == ["two", "three"]
    assert len(k3s.log(0.0, 5)) == 4
    log.write_text("new\n")
    assert k3s.log(mark, 5) == ["new"]


def test_systemds_log_begins_at_the_mark(commands: Commands) -> None:
    commands.answer("journalctl", "one\ntwo")
    k3s = Systemd("k3s")
    assert k3s.log(12.25, 5) == ["one", "two"]
    assert "--since=@12.250000" in commands.called()[0]
    assert k3s.mark() > 1_700_000_000


def test_the_init_system_is_the_one_that_runs(root: Path) -> None:
    assert isinstance(service.service_of("k3s", str(root)), OpenRC)
    (root / "run/systemd/system").mkdir(parents=True)
    assert isinstance(service.service_of("k3s", str(root)), Systemd)
    with pytest.raises(ServiceProblem, match="not a service name"):
        service.service_of("k3s; reboot", str(root))
    with pytest.raises(ServiceProblem, match="neither systemd nor OpenRC"):
        service.service_of("k3s", str(root / "etc"))
