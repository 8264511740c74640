# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The K3s releases that public CI takes, compared with what the collection says that it knows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.known_up_to import newest_known
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.release import (
    PRECISE_MERGE,
    Release,
    hosts_toml_is_exact,
    parse_release,
)

from tests.fleet import official_k3s
from tests.fleet.process import FleetError
from tests.real import __main__ as real
from tests.real.releases import releases

CHECKOUT = Path(__file__).resolve().parents[3]


def named() -> list[Release]:
    return [parse_release(name) for name in releases() if name != official_k3s.LATEST]


def test_all_are_names_of_releases_and_the_latest_comes_last() -> None:
    assert releases()[-1] == official_k3s.LATEST
    assert [official_k3s.resolve(name) for name in releases()[:-1]] == releases()[:-1]


def test_the_oldest_is_the_first_that_is_predicted_to_the_byte() -> None:
    oldest = named()[0]
    assert (oldest.minor, oldest.patch) == min(PRECISE_MERGE.first.items())
    assert all(hosts_toml_is_exact(release) for release in named())


def test_there_is_one_of_each_minor_release_up_to_the_newest_known() -> None:
    minors = [release.minor for release in named()]
    assert minors == list(range(minors[0], newest_known()[0] + 1))
    newest = named()[-1]
    assert (newest.minor, newest.patch) >= newest_known(), "tests/real/releases.txt lacks a release that the rules know"


def test_comments_and_empty_lines_are_no_releases() -> None:
    assert releases("# v1.20.0+k3s1\n\nv1.30.1+k3s1\n") == ["v1.30.1+k3s1"]


def test_without_a_k3s_make_real_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("K3S_BINARY", raising=False)
    assert real.main([]) == 2
    assert capsys.readouterr().err.startswith("make real needs a K3s: set K3S_BINARY to the program")


def test_a_release_that_cannot_be_had_fails_and_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_words: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(real.official_k3s, "fetch", refuse)
    monkeypatch.setattr(real, "run", refuse)
    assert real.main(["--release", "v1.34.3+k3s1"]) == 2
    assert "K3s v1.34.3+k3s1 cannot be downloaded: no route" in capsys.readouterr().err
    with pytest.raises(FleetError, match="is not a release of K3s"):
        real.binary("1.34")


def test_every_part_runs_on_that_k3s_in_fleets_of_its_own() -> None:
    calls: list[tuple[list[str], dict[str, str]]] = []

    def call(command: list[str], environment: dict[str, str]) -> int:
        calls.append((command, environment))
        return 1 if "pytest" in command else 0

    assert real.run(real.PARTS, "/k3s", call) == ["integration", "logins"]
    assert {environment["K3S_BINARY"] for _command, environment in calls} == {"/k3s"}
    assert {environment["INTEGRATION_FLEET"] for _command, environment in calls} == {real.FLEET}
    assert {environment["PATH"] for _command, environment in calls} == {os.environ["PATH"]}
    files = [word for command, _environment in calls for word in command if word.startswith(str(CHECKOUT / "tests"))]
    assert files
    assert all(Path(path).exists() for path in files)
