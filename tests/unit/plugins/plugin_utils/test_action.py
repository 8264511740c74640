# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the controller: who runs the collection's own playbooks has nothing beside those."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader

# isort: split
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._action import (
    answer_of,
    controller_file,
    with_days_as_text,
)


class Action:
    """An action plugin whose playbook and role have the files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._loader = DataLoader()
        self._folder = folder

    def _find_needle(self, dirname: str, needle: str) -> str:
        path = self._folder / dirname / needle
        if not path.is_file():
            raise AnsibleError("Could not find or access '%s'\nSearched in:\n..." % needle)
        return str(path)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, Path]:
    """Beside the playbook, beside the inventory, and where Ansible was started; the last has a ca.crt."""
    found = tmp_path / "playbook", tmp_path / "inventory", tmp_path / "here"
    for folder in found:
        (folder / "files").mkdir(parents=True)
    (found[2] / "files" / "ca.crt").write_bytes(b"here")
    monkeypatch.chdir(found[2])
    return found


def test_ansibles_places_come_first_then_the_inventory_then_the_current_folder(
    folders: tuple[Path, Path, Path],
) -> None:
    playbook, inventory, _here = folders
    action, task_vars = Action(playbook), {"inventory_dir": str(inventory)}
    assert controller_file(action, "files/ca.crt", task_vars) == b"here"
    (inventory / "files" / "ca.crt").write_bytes(b"inventory")
    assert controller_file(action, "files/ca.crt", task_vars) == b"inventory"
    (playbook / "files" / "files").mkdir()
    (playbook / "files" / "files" / "ca.crt").write_bytes(b"playbook")
    assert controller_file(action, "files/ca.crt", task_vars) == b"playbook"


@pytest.mark.parametrize("inventory", [None, "", "/nowhere"])
def test_a_file_that_is_nowhere_is_said_in_one_line_with_the_places(
    folders: tuple[Path, Path, Path], inventory: str | None
) -> None:
    with pytest.raises(ValueError, match="no such file in files/ next to the playbook and the role, nor in") as said:
        controller_file(Action(folders[0]), "gone.crt", {"inventory_dir": inventory})
    assert str(folders[2]) in str(said.value)
    assert "None" not in str(said.value)
    assert "\n" not in str(said.value)


def test_an_absolute_path_is_looked_for_there_alone(folders: tuple[Path, Path, Path]) -> None:
    with pytest.raises(ValueError, match="^there is no such file$"):
        controller_file(Action(folders[0]), str(folders[1] / "ca.crt"), {"inventory_dir": str(folders[2])})


def test_a_fifo_is_not_waited_for(folders: tuple[Path, Path, Path]) -> None:
    """Only an absolute path can lead to one: elsewhere, what is no file is not found."""
    fifo = folders[1] / "ca.crt"
    os.mkfifo(fifo)
    action = Action(folders[0])
    action._find_needle = lambda _dirname, needle: needle  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="ca.crt is not a regular file"):
        controller_file(action, str(fifo), {})


def test_an_answer_holds_no_objects_of_ansible() -> None:
    """Since ansible-core 2.19 a module's warnings and its traceback come as objects."""
    detail = SimpleNamespace(msg="the API is away\x1b[2K")
    for warning in (SimpleNamespace(details=(detail,)), SimpleNamespace(event=detail), "the API is away\x1b[2K"):
        found = answer_of({"warnings": [warning], "exception": object(), "deprecations": [object()], "msg": "no"})
        assert found == {"warnings": ["the API is away\\x1b[2K"], "msg": "no"}


def test_dates_are_text_wherever_they_are() -> None:
    given = yaml.safe_load("{a: [{b: 2027-01-31}, 2027-01-31T12:00:00Z, '2027-01-31', 1, true, null], c: 2.5}")
    assert with_days_as_text(given) == {
        "a": [{"b": "2027-01-31"}, "2027-01-31T12:00:00+00:00", "2027-01-31", 1, True, None],
        "c": 2.5,
    }
