# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.tools import lanes


def shell(words: str) -> list[str]:
    return ["sh", "-c", words]


def test_each_target_has_its_words_in_one_piece_and_all_run() -> None:
    said: list[str] = []
    ended = lanes.Lanes(2, shell, said.append).run(["echo one", "echo two; exit 3", "echo three >&2"])
    assert [one.target for one in ended] == ["echo one", "echo two; exit 3", "echo three >&2"]
    assert [one.code for one in ended] == [0, 3, 0]
    assert sorted(text.split("\n")[1] for text in said) == ["one", "three", "two"]
    assert [text.split("\n")[0] for text in said if "FAILED" in text] == ["=== echo two; exit 3: FAILED after 0 s"]


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_run_at_once_than_there_are_lanes(at_once: int, tmp_path: Path) -> None:
    # A folder for each lane: where more run than that, somebody finds none that can be made.
    lane = "mkdir %s/$lane && { sleep 0.1; rmdir %s/$lane; exit 0; }" % (tmp_path, tmp_path)
    claim = "for lane in $(seq %d); do %s; done; exit 1" % (at_once, lane)
    ended = lanes.Lanes(at_once, lambda name: shell(claim), lambda text: None).run([str(i) for i in range(6)])
    assert [one.code for one in ended] == [0] * 6


def test_a_stop_ends_what_runs_and_begins_nothing_more(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    running = lanes.Lanes(1, shell, lambda text: None)
    ended: list[lanes.Ended] = []
    thread = threading.Thread(
        target=lambda: ended.extend(running.run(["touch %s; sleep 600 & wait" % begun, "touch %s/second" % tmp_path]))
    )
    thread.start()
    while not begun.exists():
        thread.join(0.01)
    running.stop()
    thread.join(60)
    assert [one.code for one in ended] == [-15]
    assert not (tmp_path / "second").exists()


def test_a_minute_tells_what_is_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "PROGRESS", 0.01)
    told = threading.Event()

    def say(text: str) -> None:
        if text == "--- running: sleep 600 (0 s)":
            told.set()

    running = lanes.Lanes(1, shell, say)
    thread = threading.Thread(target=running.run, args=(["sleep 600"],))
    thread.start()
    assert told.wait(60)
    running.stop()
    thread.join(60)


@pytest.mark.parametrize("code", [0, 3])
def test_what_begins_beside_the_first_ends_with_them_if_they_fail(tmp_path: Path, code: int) -> None:
    """All stand-ins for make note who they are; the first waits until the one beside it has begun."""
    make = tmp_path / "make"
    make.write_text(
        """#!/bin/sh
cd %s; touch $2.began
case $2 in
    first) while ! test -e beside.began; do sleep 0.01; done; exit %d ;;
    beside) while ! test -e second.began; do sleep 0.01; done ;;
esac
"""
        % (tmp_path, code)
    )
    make.chmod(0o755)
    command = [sys.executable, lanes.__file__, "--first", "first", "--beside", "beside", "--then", "second"]
    done = subprocess.run(command, env={**os.environ, "MAKE": str(make)}, capture_output=True, text=True, check=False)
    assert done.returncode == (1 if code else 0), done.stderr
    assert (tmp_path / "second.began").exists() != bool(code)
    assert ("FAILED: first, beside." if code else "everything passed") in done.stdout


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (187, "3:07 min")])
def test_lengths_read_as_a_clock(seconds: float, words: str) -> None:
    assert lanes.length(seconds) == words


def test_the_table_begins_with_the_longest_and_names_what_failed() -> None:
    ended = [lanes.Ended("lint", 0, 35), lanes.Ended("unit", 2, 240)]
    assert lanes.table(ended, 250).split("\n") == [
        "  4:00 min  unit  FAILED",
        "      35 s  lint",
        "  4:10 min  altogether",
    ]


@pytest.mark.parametrize(
    ("make", "code", "words"), [("true", 0, "everything that ran has passed"), ("false", 1, "FAILED: one")]
)
def test_what_was_left_out_is_said_at_the_end(
    make: str, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAKE", make)
    assert lanes.main(["--left-out", "something, because", "--then", "one"]) == code
    said = capsys.readouterr().out
    assert words in said
    assert said.endswith("LEFT OUT: something, because\n")
    assert "everything passed" not in said
