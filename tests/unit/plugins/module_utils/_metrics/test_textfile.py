# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file for node_exporter: whole or not at all, readable for everybody, and only in a folder of root's."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._metrics import textfile
from ansible_collections.k3sfleet.registries.plugins.module_utils._metrics.textfile import NAME, MetricsProblem

from tests.unit.plugins.module_utils._node.strangers import Strangers, tree


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> Strangers:
    return Strangers(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As Debian has it: root's folder in one of the user prometheus."""
    path = tmp_path / "prometheus" / "node-exporter"
    path.mkdir(parents=True)
    return path


def test_it_is_written_for_everybody_and_replaced(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        assert textfile.write(str(folder), "one 1\n") == str(folder / NAME)
        textfile.write(str(folder), "two 2\n")
    finally:
        os.umask(before)
    assert tree(folder) == {NAME: "two 2\n"}
    assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o644


def test_while_it_is_written_node_exporter_sees_the_one_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    textfile.write(str(folder), "one 1\n")
    seen = []
    real = os.rename

    def rename(*arguments: Any, **more: Any) -> None:
        seen.append({path.name: path.read_text() for path in folder.glob("*.prom")})
        real(*arguments, **more)

    monkeypatch.setattr(os, "rename", rename)
    textfile.write(str(folder), "two 2\n")
    assert seen == [{NAME: "one 1\n"}]


def test_a_folder_above_it_may_belong_to_another_user(folder: Path, strangers: Strangers) -> None:
    strangers.give(folder.parent)
    textfile.write(str(folder), "one 1\n")
    assert tree(folder) == {NAME: "one 1\n"}


def test_a_link_that_another_user_could_turn_is_not_followed(tmp_path: Path, strangers: Strangers) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "precious" / "node-exporter").mkdir(parents=True)
    (tmp_path / "theirs" / "prometheus").symlink_to(tmp_path / "precious", target_is_directory=True)
    strangers.give(tmp_path / "theirs")
    with pytest.raises(MetricsProblem, match="is a symbolic link that is not followed"):
        textfile.write(str(tmp_path / "theirs/prometheus/node-exporter"), "one 1\n")
    assert tree(tmp_path / "precious") == {}


def test_a_folder_that_is_missing_is_not_made(tmp_path: Path) -> None:
    folder = str(tmp_path / "none")
    with pytest.raises(MetricsProblem, match=r"the folder .*/none cannot be found .*Create it as root.*metrics_dir"):
        textfile.write(folder, "one 1\n")
    assert tree(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_folder_that_is_a_link_is_refused(tmp_path: Path, folder: Path, ending: str) -> None:
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    with pytest.raises(MetricsProblem, match=r"link.? is a symbolic link. Name the folder that it leads to"):
        textfile.write(str(tmp_path / "link") + ending, "one 1\n")
    assert tree(folder) == {}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(MetricsProblem, match="is not a folder. Name the folder"):
        textfile.write(str(tmp_path / "file"), "one 1\n")
    assert tree(tmp_path) == {"file": "precious"}


def test_another_user_s_folder_is_refused(folder: Path, strangers: Strangers) -> None:
    strangers.give(folder)
    with pytest.raises(MetricsProblem, match=r"belongs to user \d+, .*Give it to root.*chown root:root"):
        textfile.write(str(folder), "one 1\n")
    assert tree(folder) == {}


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_a_folder_that_others_can_write_to_is_refused(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    with pytest.raises(MetricsProblem, match=r"other users than its owner can write .*%04o.*chmod go-w" % mode):
        textfile.write(str(folder), "one 1\n")
    assert tree(folder) == {}


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (folder / NAME).symlink_to(tmp_path / "victim")
    with pytest.raises(MetricsProblem, match=r"k3s_registries\.prom: it is a symbolic link"):
        textfile.write(str(folder), "one 1\n")
    assert (tmp_path / "victim").read_text() == "precious"


def test_if_there_is_no_space_the_one_before_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    textfile.write(str(folder), "one 1\n")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MetricsProblem, match=r"cannot write .*prom: No space left on device; free some space"):
        textfile.write(str(folder), "two 2\n")
    assert tree(folder) == {NAME: "one 1\n"}


def test_only_what_a_killed_write_has_left_long_ago_is_removed(folder: Path) -> None:
    ours, writing, other = (".%s.%s.k3sfleet-new" % (NAME, end) for end in ("a", "b", "c"))
    other = other.replace("k3s_", "x_")
    for name in (ours, writing, other):
        (folder / name).write_text("half")
    for name in (ours, other):
        os.utime(folder / name, (1, 1))
    textfile.write(str(folder), "one 1\n")
    assert sorted(tree(folder)) == sorted([writing, other, NAME])


def test_remove(folder: Path, tmp_path: Path) -> None:
    textfile.write(str(folder), "one 1\n")
    (folder / "apt.prom").write_text("theirs")
    assert textfile.remove(str(folder), check_mode=True)
    assert (folder / NAME).exists()
    assert textfile.remove(str(folder))
    assert tree(folder) == {"apt.prom": "theirs"}
    assert not textfile.remove(str(folder))
    assert not textfile.remove(str(tmp_path / "none"))
