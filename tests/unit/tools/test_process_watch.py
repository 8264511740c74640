# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess

import pytest

from tests.integration import secrets_watch
from tests.integration.secrets_watch import ProcessWatch, Secrets
from tests.tools.exec_events import ExecEvents, Unavailable

CANARY = "canary-0d6f1b7a92c4"
_WAITS = ["sh", "-c", "echo; read line", CANARY]


class NoEvents:
    def __init__(self) -> None:
        raise Unavailable("for the test")


@pytest.fixture(params=["as the kernel tells", "again and again"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "again and again":
        monkeypatch.setattr(secrets_watch, "ExecEvents", NoEvents)


def _runs_until_found(command: list[str], environment: dict[str, str], watch: ProcessWatch) -> None:
    """It lives as long as twenty looks at everything take, if nothing is found."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        enough = watch.looks + 20 * len(os.listdir("/proc"))
        while not watch.found and watch.looks < enough:
            subprocess.run(["true"], check=True)
        process.stdin.close()


@pytest.mark.usefixtures("_either_way")
def test_a_secret_among_the_arguments_is_found() -> None:
    with ProcessWatch(Secrets({"the password": CANARY})) as watch:
        _runs_until_found(_WAITS, dict(os.environ), watch)
    assert "the password in the cmdline of sh" in watch.found


@pytest.mark.usefixtures("_either_way")
def test_a_secret_in_the_environment_is_found() -> None:
    with ProcessWatch(Secrets({"the password": CANARY})) as watch:
        _runs_until_found(_WAITS[:-1], {**os.environ, "PASSWORD": "x" + CANARY}, watch)
    assert any("the password in the environ of" in found for found in watch.found)


@pytest.mark.usefixtures("_either_way")
def test_what_runs_already_is_looked_at() -> None:
    with subprocess.Popen(_WAITS, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        with ProcessWatch(Secrets({"the password": CANARY})) as watch:
            pass
        process.stdin.close()
    assert watch.found == {"the password in the cmdline of sh"}


@pytest.mark.usefixtures("_either_way")
def test_without_a_secret_nothing_is_found() -> None:
    with ProcessWatch(Secrets({"the password": CANARY})) as watch:
        subprocess.run(["true"], check=True)
    assert watch.looks
    assert watch.found == set()


def test_the_kernel_tells_of_a_program_or_that_it_does_not() -> None:
    try:
        events = ExecEvents()
    except Unavailable:
        return
    process = subprocess.Popen(["true"])
    process.wait()
    started: list[int] = []
    while process.pid not in started:
        more, missed = events.started(1.0)
        assert more
        assert not missed
        started += more
    events.close()
