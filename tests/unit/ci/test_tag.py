# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must fit before a tag is published."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools import tag


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One that is ready for v1.2.3."""
    (tmp_path / "galaxy.yml").write_text("namespace: k3sfleet\nversion: 1.2.3\n", encoding="utf-8")
    project = '[build-system]\nversion = "9"\n[project]\nname = "x"\nversion = "1.2.3"\n[tool.x]\nversion = "8"\n'
    (tmp_path / "pyproject.toml").write_text(project, encoding="utf-8")
    (tmp_path / "changelogs" / "fragments").mkdir(parents=True)
    changelog = "ancestor: null\nreleases:\n  1.2.2: {}\n  1.2.3:\n    release_date: '2026-11-27'\n"
    (tmp_path / "changelogs" / "changelog.yaml").write_text(changelog, encoding="utf-8")
    return tmp_path


def test_a_release_that_fits_can_be_published(checkout: Path) -> None:
    assert tag.problems("v1.2.3", checkout) == []


@pytest.mark.parametrize("name", ["1.2.3", "v1.2", "v1.2.3.4", "version-1.2.3", "v1.2.3 ", "v1.2.3+x", "tags/v1.2.3"])
def test_another_tag_is_no_version(checkout: Path, name: str) -> None:
    [sentence] = tag.problems(name, checkout)
    assert "is not a version such as v1.2.3" in sentence


def test_each_file_with_another_version_is_named(checkout: Path) -> None:
    found = "\n".join(tag.problems("v1.2.4", checkout))
    assert "galaxy.yml has the version 1.2.3, the tag says 1.2.4" in found
    assert "pyproject.toml has the version 1.2.3, the tag says 1.2.4" in found
    assert "changelogs/changelog.yaml has no release 1.2.4" in found


def test_a_candidate_is_another_version(checkout: Path) -> None:
    assert len(tag.problems("v1.2.3-rc.1", checkout)) == 3


def test_a_release_without_a_changelog_is_refused(checkout: Path) -> None:
    (checkout / "changelogs" / "changelog.yaml").unlink()
    [sentence] = tag.problems("v1.2.3", checkout)
    assert "has no release 1.2.3. Run `antsibull-changelog release`" in sentence
    (checkout / "changelogs" / "changelog.yaml").write_text("", encoding="utf-8")
    assert len(tag.problems("v1.2.3", checkout)) == 1


def test_fragments_that_are_left_over_are_named(checkout: Path) -> None:
    for number in range(7):
        (checkout / "changelogs" / "fragments" / ("change-%d.yml" % number)).touch()
    (checkout / "changelogs" / "fragments" / ".keep").touch()
    [sentence] = tag.problems("v1.2.3", checkout)
    assert "still has change-0.yml, change-1.yml, change-2.yml, change-3.yml, change-4.yml and 2 more:" in sentence


def test_a_version_that_is_missing_is_not_taken_from_elsewhere(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text('[tool.x]\nversion = "1.2.3"\n', encoding="utf-8")
    [sentence] = tag.problems("v1.2.3", checkout)
    assert "pyproject.toml has the version (none)" in sentence


def test_this_checkout_has_one_version() -> None:
    galaxy = tag._of_galaxy(tag.CHECKOUT)
    assert galaxy
    assert tag._of_pyproject(tag.CHECKOUT) == galaxy


def test_the_command_says_that_nothing_was_published(capsys: pytest.CaptureFixture[str]) -> None:
    assert tag.main(["v999.0.0"]) == 1
    assert "Nothing has been published." in capsys.readouterr().err
    assert tag.main([]) == 2
