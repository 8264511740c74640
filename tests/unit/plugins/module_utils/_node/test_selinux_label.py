# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is replaced keeps its SELinux label.

The attribute is a real one. What a policy makes of it cannot be seen here: the kernels that run these tests enforce
none.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._node import files, selinux_label
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.files import FileProblem, Writes

CHOSEN = b"system_u:object_r:container_ro_file_t:s0\0"


@pytest.fixture(autouse=True)
def attribute(monkeypatch: pytest.MonkeyPatch) -> str:
    """Only root may set the kernel's own."""
    name = "security.selinux" if os.geteuid() == 0 else "user.k3sfleet.selinux"
    monkeypatch.setattr(selinux_label, "_ATTRIBUTE", name)
    return name


@pytest.fixture
def labelled(tmp_path: Path, attribute: str) -> Path:
    path = tmp_path / "registries.yaml"
    path.write_text("before")
    os.setxattr(path, attribute, CHOSEN)
    return path


def test_the_label_that_somebody_has_chosen_is_kept(labelled: Path, attribute: str) -> None:
    files.write(str(labelled), b"after", 0o600, through_link=True)
    assert (labelled.read_text(), os.getxattr(labelled, attribute)) == ("after", CHOSEN)


def test_through_a_link_too(labelled: Path, attribute: str, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(labelled)
    files.write(str(link), b"after", 0o600, through_link=True)
    assert (link.is_symlink(), labelled.read_text(), os.getxattr(labelled, attribute)) == (True, "after", CHOSEN)


def test_a_new_file_has_the_label_of_its_folder(tmp_path: Path, attribute: str) -> None:
    path = tmp_path / "new"
    files.write(str(path), b"x", 0o600, through_link=False)
    assert attribute not in os.listxattr(path)


def test_a_label_that_cannot_be_kept_stops_before_any_file_is_replaced(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "setxattr", refuse)
    writes = Writes()
    writes.add(str(tmp_path / "first"), b"x", 0o600, through_link=False)
    with pytest.raises(FileProblem, match=r"cannot write .*registries\.yaml: Operation not permitted"):
        writes.add(str(labelled), b"after", 0o600, through_link=False)
    assert (labelled.read_text(), [path.name for path in tmp_path.iterdir()]) == ("before", ["registries.yaml"])


@pytest.mark.parametrize("number", [errno.ENODATA, errno.ENOTSUP, errno.EPERM])
def test_a_system_without_labels_is_no_trouble(labelled: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def without(*_arguments: Any) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "getxattr", without)
    files.write(str(labelled), b"after", 0o600, through_link=True)
    assert labelled.read_text() == "after"


def test_a_controller_that_knows_no_extended_attributes(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getxattr")
    monkeypatch.delattr(os, "setxattr")
    files.write(str(labelled), b"after", 0o600, through_link=True)
    assert labelled.read_text() == "after"
