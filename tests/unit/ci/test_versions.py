# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One version of Ansible and Python at a time, as public CI asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.versions import __main__ as versions


def test_every_minor_release_of_ansible_core_has_a_trial_once() -> None:
    names = [trial.name for trial in (*versions.TRIALS, *versions.BETWEEN)]
    assert {"ansible-core 2.%d" % minor for minor in range(16, 22)} < set(names)
    assert len(names) == len(set(names))


def test_who_asks_for_one_and_gets_nothing_reads_that_it_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(versions, "python", lambda _pythons: None)
    assert versions.main(["--only", "ansible-core 2.17"]) == 1
    assert capsys.readouterr().out == "ansible-core 2.17: NOT TRIED, there is no Python 3.10 or 3.11 or 3.12 here\n"
    assert versions.main([]) == 0


def test_by_day_the_oldest_plays_the_role() -> None:
    assert versions.QUICK.name == versions.TRIALS[0].name == "ansible-core 2.16"
    assert all(Path(test).is_file() for test in versions.QUICK.tests)


def test_another_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        versions.main(["--only", "ansible-core 1.9"])
    assert "invalid choice" in capsys.readouterr().err
