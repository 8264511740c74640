# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transfer that is cut off continues, wherever that was and whatever is left of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem
from ansible_collections.k3sfleet.registries.plugins.module_utils._preload.part import (
    WrongContent,
    append,
    check,
    sha256_of,
    verified,
)

from .conftest import BLOCK, described

CONTENT = bytes(range(7)) * 5 + b"the end"
ARCHIVE = described(CONTENT)


@pytest.mark.parametrize("cut", range(len(CONTENT) + 1))
def test_it_continues_after_any_byte(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(CONTENT[:cut])
    have = verified(str(path), ARCHIVE)
    assert have == cut
    assert append(str(path), ARCHIVE, have, CONTENT[have:]) == len(CONTENT)
    check(str(path), ARCHIVE)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("damaged", range(len(CONTENT)))
def test_a_wrong_byte_costs_its_block_and_what_follows(tmp_path: Path, damaged: int) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(CONTENT[:damaged] + bytes([CONTENT[damaged] ^ 1]) + CONTENT[damaged + 1 :])
    have = verified(str(path), ARCHIVE)
    assert have == damaged // BLOCK * BLOCK
    assert path.read_bytes() == CONTENT[:have]


@pytest.mark.parametrize("cut", range(len(CONTENT)))
def test_a_wrong_byte_in_an_incomplete_block_is_found_when_it_is_complete(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.part"
    torn = CONTENT[: max(cut - 1, 0)] + b"\xff" * min(cut, 1)
    path.write_bytes(torn)
    have = verified(str(path), ARCHIVE)
    right = False
    while not right:
        try:
            append(str(path), ARCHIVE, have, CONTENT[have:])
            right = True
        except WrongContent as wrong:
            refused, have = have, wrong.offset
            assert (have <= refused, have % BLOCK) == (True, 0)
    assert path.read_bytes() == CONTENT


def test_bytes_after_the_end_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(CONTENT + b"and more")
    assert verified(str(path), ARCHIVE) == len(CONTENT)
    assert path.read_bytes() == CONTENT


def test_only_what_comes_next_is_taken(tmp_path: Path) -> None:
    path = str(tmp_path / "a.part")
    append(path, ARCHIVE, 0, CONTENT[:5])
    for offset in (0, 4, 6):
        with pytest.raises(WrongContent) as wrong:
            append(path, ARCHIVE, offset, b"x")
        assert wrong.value.offset == 5
    with pytest.raises(WrongContent):
        append(path, ARCHIVE, 5, CONTENT)
    assert Path(path).read_bytes() == CONTENT[:5]


def test_a_whole_that_has_another_digest_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(b"x" * len(CONTENT))
    with pytest.raises(WrongContent) as wrong:
        check(str(path), ARCHIVE)
    assert wrong.value.offset == 0
    assert not path.exists()


def test_only_root_reads_it_and_no_link_is_followed(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "a.part", tmp_path / "elsewhere"
    append(str(path), ARCHIVE, 0, CONTENT)
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    elsewhere.write_bytes(b"")
    path.symlink_to(elsewhere)
    with pytest.raises(FileProblem):
        append(str(path), ARCHIVE, 0, CONTENT)
    assert elsewhere.read_bytes() == b""


def test_nothing_has_no_digest(tmp_path: Path) -> None:
    assert sha256_of(str(tmp_path / "nothing")) == ""
    assert verified(str(tmp_path / "nothing"), ARCHIVE) == 0
