# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of providers on a node: kept once, linked, put back, and told apart from those of somebody else."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers import made_folders, programs
from ansible_collections.k3sfleet.registries.plugins.module_utils._credential_providers.provider import Provider
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem

ONE, TWO = b"#!/bin/sh\necho one\n", b"#!/bin/sh\necho two\n"


def provider(name: str, content: bytes = b"", path: str = "") -> Provider:
    return Provider(name, hashlib.sha256(content).hexdigest() if content else "", ("registry",), path=path)


def keep(folder: str, content: bytes) -> None:
    programs.keep(folder, hashlib.sha256(content).hexdigest(), io.BytesIO(content))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "credentialprovider" / "bin")


def placed(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.name != programs.STORE}


def kept(folder: str) -> int:
    return len([path for path in (Path(folder) / programs.STORE).iterdir() if path.name != made_folders.NOTE])


def test_a_content_travels_once(folder: str) -> None:
    wanted = [provider("a", ONE), provider("b", ONE), provider("c", TWO)]
    assert len(programs.missing(folder, wanted)) == 2
    keep(folder, ONE)
    assert programs.missing(folder, wanted) == [wanted[2].sha256]
    keep(folder, TWO)
    assert programs.missing(folder, wanted) == []
    assert [action for _path, action in programs.changes(folder, wanted)] == ["create"] * 3
    programs.place(folder, wanted)
    assert placed(folder) == {"a": ONE, "b": ONE, "c": TWO}
    assert programs.changes(folder, wanted) == []
    assert kept(folder) == 2
    assert {path.stat().st_mode & 0o777 for path in Path(folder).iterdir() if path.is_file()} == {0o700}


def test_an_update_is_one_step_and_goes_back(folder: str) -> None:
    keep(folder, ONE)
    keep(folder, TWO)
    one, two = provider("a", ONE), provider("a", TWO)
    programs.place(folder, [one])
    assert programs.changes(folder, [two]) == [(os.path.join(folder, "a"), "update")]
    programs.place(folder, [two])
    programs.prune(folder, [one.sha256])
    assert placed(folder) == {"a": TWO}
    programs.place(folder, [one])
    programs.prune(folder, [])
    assert placed(folder) == {"a": ONE}
    assert kept(folder) == 1
    assert programs.missing(folder, [two]) == [two.sha256]


def test_a_content_that_is_not_what_was_sent_is_refused(folder: str) -> None:
    with pytest.raises(FileProblem, match="did not arrive as it was sent"):
        programs.keep(folder, "0" * 64, io.BytesIO(ONE))
    assert kept(folder) == 0


@pytest.mark.parametrize("damage", ["content", "mode", "gone"])
def test_a_damaged_content_travels_anew(folder: str, damage: str) -> None:
    keep(folder, ONE)
    wanted = provider("a", ONE)
    programs.place(folder, [wanted])
    path = Path(folder, "a")
    if damage == "content":
        path.write_bytes(TWO)
    elif damage == "mode":
        path.chmod(0o600)
    else:
        path.unlink()
        Path(folder, programs.STORE, wanted.sha256).unlink()
    assert programs.missing(folder, [wanted]) == [wanted.sha256]
    assert [action for _path, action in programs.changes(folder, [wanted])] == [
        "create" if damage == "gone" else "update"
    ]
    keep(folder, ONE)
    programs.place(folder, [wanted])
    assert placed(folder) == {"a": ONE}
    assert os.access(path, os.X_OK)


def test_somebody_else_s_programs_are_left_alone(folder: str) -> None:
    os.makedirs(folder)
    other = Path(folder, "other")
    other.write_bytes(ONE)
    keep(folder, ONE)
    programs.place(folder, [provider("a", ONE)])
    assert programs.in_the_way(folder, provider("other", TWO))
    assert not programs.in_the_way(folder, provider("a", TWO))
    assert programs.obsolete(folder, []) == [os.path.join(folder, "a")]
    programs.remove_obsolete(folder, [])
    programs.prune(folder, [])
    assert placed(folder) == {"other": ONE}
    assert not os.path.exists(os.path.join(folder, programs.STORE))


def test_what_lies_there_already_need_not_travel(folder: str) -> None:
    os.makedirs(folder)
    path = Path(folder, "a")
    path.write_bytes(ONE)
    path.chmod(0o755)
    wanted = provider("a", ONE)
    assert not programs.in_the_way(folder, wanted)
    programs.take_over(folder, [wanted])
    assert programs.missing(folder, [wanted]) == []
    programs.place(folder, [wanted])
    assert programs.changes(folder, [wanted]) == []


def test_a_program_that_the_node_has_is_linked(folder: str, tmp_path: Path) -> None:
    path = tmp_path / "ecr"
    path.write_bytes(ONE)
    path.chmod(0o755)
    wanted = provider("ecr-credential-provider", path=str(path))
    programs.place(folder, [wanted])
    assert placed(folder) == {"ecr-credential-provider": ONE}
    assert programs.changes(folder, [wanted]) == []
    path.write_bytes(TWO)
    assert placed(folder) == {"ecr-credential-provider": TWO}
    assert programs.head(folder, wanted) == TWO
    moved = wanted._replace(path=str(tmp_path / "moved"))
    assert [action for _path, action in programs.changes(folder, [moved])] == ["update"]
    programs.remove_obsolete(folder, [])
    programs.prune(folder, [])
    assert not os.path.exists(folder)
    assert path.exists()


def test_the_last_one_takes_the_folder_along(folder: str) -> None:
    keep(folder, ONE)
    programs.place(folder, [provider("a", ONE)])
    programs.remove_obsolete(folder, [])
    programs.prune(folder, [])
    assert not os.path.exists(os.path.dirname(folder))


@pytest.mark.parametrize("there_before", ["", "credentialprovider", "credentialprovider/bin", "elsewhere"])
def test_only_folders_that_were_made_go(folder: str, tmp_path: Path, there_before: str) -> None:
    os.makedirs(tmp_path / there_before, exist_ok=True)
    config = str(tmp_path / "elsewhere/of/config")
    keep(folder, ONE)
    programs.make_folder(folder, config)
    programs.place(folder, [provider("a", ONE)])
    programs.prune(folder, [])
    assert not os.path.exists(config)
    programs.make_folder(folder, config)
    Path(config, "config.yaml").touch()
    programs.remove_obsolete(folder, [])
    programs.prune(folder, [provider("a", ONE).sha256])
    assert os.path.isdir(config)
    Path(config, "config.yaml").unlink()
    programs.prune(folder, [])
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == ({"credentialprovider", there_before} if "/" in there_before else {there_before} - {""})


def test_a_note_that_cannot_be_read_removes_nothing(folder: str) -> None:
    keep(folder, ONE)
    Path(folder, programs.STORE, made_folders.NOTE).write_text("[1, null")
    programs.prune(folder, [])
    assert os.listdir(folder) == []


def test_a_crash_between_two_steps_leaves_nothing_for_long(folder: str) -> None:
    keep(folder, ONE)
    content = os.path.join(folder, programs.STORE, provider("a", ONE).sha256)
    os.link(content, os.path.join(folder, "b.k3sfleet-new"))
    Path(content + ".k3sfleet-new").write_bytes(b"half")
    programs.place(folder, [provider("a", ONE)])
    programs.remove_obsolete(folder, [provider("a", ONE)])
    assert placed(folder) == {"a": ONE}
    assert kept(folder) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_program_of_another_user_is_not_trusted(folder: str) -> None:
    os.makedirs(folder)
    path = Path(folder, "a")
    path.write_bytes(ONE)
    path.chmod(0o755)
    os.chown(path, 12345, 12345)
    assert programs.in_the_way(folder, provider("a", ONE))
