# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interpreter a program of root's is given."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store import interpreter
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_store.interpreter import (
    NoInterpreter,
    find,
    first_line,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of interpreters, with no other on the node."""
    monkeypatch.setattr(interpreter, "_USUAL", (str(tmp_path / "usual"),))
    return tmp_path


def put(path: Path) -> str:
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def yes(_path: str) -> bool:
    return True


def test_the_usual_one_comes_before_the_one_that_runs_modules(folder: Path) -> None:
    running, usual = put(folder / "python3.11"), put(folder / "usual")
    assert find(running, yes) == usual


def test_one_that_does_not_start_is_passed_over(folder: Path) -> None:
    running, usual = put(folder / "python3.11"), put(folder / "usual")
    assert find(running, lambda path: path != usual) == running


def test_behind_a_virtual_environment_lies_another(folder: Path) -> None:
    real = put(folder / "python3.11")
    link = folder / "venv-python"
    link.symlink_to(real)
    assert find(str(link), lambda path: path == real) == real


@pytest.mark.parametrize("name", ["py thon3", "p" * 130])
def test_what_cannot_stand_in_a_first_line_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(NoInterpreter, match="first line of a program"):
        find(put(folder / name), yes)


def test_one_that_others_may_replace_is_refused(folder: Path) -> None:
    path = put(folder / "python3")
    (folder / "python3").chmod(0o777)
    with pytest.raises(NoInterpreter, match="others than its owner may write"):
        find(path, yes)


def test_one_in_a_folder_where_others_may_write_is_refused(folder: Path) -> None:
    (folder / "open").mkdir()
    path = put(folder / "open" / "python3")
    (folder / "open").chmod(0o777)
    with pytest.raises(NoInterpreter, match="open"):
        find(path, yes)


def test_without_any_there_is_a_sentence(folder: Path) -> None:
    with pytest.raises(NoInterpreter, match="Install python3"):
        find("", yes)


def test_it_is_asked_whether_it_starts(folder: Path) -> None:
    broken = put(folder / "usual")
    (folder / "usual").write_text("#!/nowhere\n", encoding="utf-8")
    with pytest.raises(NoInterpreter, match="does not start, or is older") as caught:
        find(broken)
    assert broken in str(caught.value)


def test_this_one_starts() -> None:
    assert interpreter._runs(sys.executable)


def test_the_first_line_is_one_line_with_one_argument() -> None:
    assert first_line("/usr/bin/python3") == "#!/usr/bin/python3 -ISB\n"
