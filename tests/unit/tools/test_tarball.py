# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said against a tarball that has grown, holds what nobody needs, or is not what the README says."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.tools import tarball
from tests.tools.tarball import Content

FILES = [
    *(name for name in tarball.PARTS if name not in ("tests", "requirements", "docs", "plugins")),
    "docs/README.md",
    "plugins/modules/k3s_registries.py",
    "requirements/controller.txt",
    "tests/config.yml",
]
FINE = Content(sorted(FILES), 1_400_000)


def test_the_files_and_the_size_are_those_of_the_tarball(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text("text", encoding="utf-8")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as made:
        made.add(tmp_path / "docs", "docs")
    assert tarball.content(tmp_path / "a.tar.gz") == Content(["docs/README.md"], (tmp_path / "a.tar.gz").stat().st_size)


def test_what_is_fine() -> None:
    assert tarball.mistakes(FINE) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("Makefile", "Makefile is in it: add it to PARTS or to build_ignore"),
        (".venv/bin/python", ".venv is in it"),
        ("tests/conftest.py", "tests/conftest.py is in it"),
        ("requirements/dev.txt", "requirements/dev.txt is in it"),
        ("changelogs/fragments/a.yml", "changelogs/fragments/a.yml is in it"),
        ("plugins/modules/__pycache__/a.pyc", "a.pyc is in it"),
        ("docs/.cache/a", "docs/.cache/a is in it"),
    ],
)
def test_what_nobody_needs_is_named(more: str, said: str) -> None:
    wrong = tarball.mistakes(Content([*FINE.files, more], FINE.size))
    assert said in "\n".join(wrong)


@pytest.mark.parametrize("name", ["LICENSE", "tests/config.yml", "requirements/controller.txt"])
def test_what_is_missing_is_named(name: str) -> None:
    wrong = tarball.mistakes(Content([file for file in FINE.files if file != name], FINE.size))
    assert any(line.startswith("%s is not in it" % name) for line in wrong), wrong


@pytest.mark.parametrize(
    "found",
    [Content(FINE.files, 2_000_000), Content([*FINE.files, *("docs/%d.md" % n for n in range(700))], FINE.size)],
)
def test_what_has_grown_is_named(found: Content) -> None:
    [wrong] = tarball.mistakes(found)
    assert "may have 700 and 1.8" in wrong


def test_what_the_readme_says_may_be_a_tenth_off() -> None:
    files = ["docs/%d.md" % number for number in range(600)]
    assert tarball.said_wrong("It has about 570 files and\n1.5 MB: ...", Content(files, 1_460_000)) == []
    for text in ("about 500 files and 1.5 MB", "about 600 files and 1.8 MB"):
        [wrong] = tarball.said_wrong(text, Content(files, 1_460_000))
        assert wrong == "README.md says %s; it is 600 files and 1.5 MB" % text
    assert tarball.said_wrong("It is small.", Content(files, 1)) == ["README.md does not say how large it is"]


def test_links_to_what_is_not_installed_are_named(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(
        '[a](../README.md#top) [b](https://example.com/a) [c](#here) [d](../tests/a.md) <img src="images/a.png">',
        encoding="utf-8",
    )
    (tmp_path / "README.md").write_text("[docs](docs/a.md)", encoding="utf-8")
    assert tarball.dead_links(tmp_path) == ["docs/a.md: ../tests/a.md", "docs/a.md: images/a.png"]
