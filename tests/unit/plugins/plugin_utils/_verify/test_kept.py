# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's task keeps for the fleet's result."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify import kept


def test_what_was_kept_is_read_again_by_its_mark(tmp_path: Path) -> None:
    found = [{"passes": True, "text": "ä\udcff\u2028"}, {"passes": False}]
    marks = [kept.keep(str(tmp_path), item) for item in found]
    assert [kept.read(str(tmp_path), mark) for mark in marks] == found
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("mark", ["", "0" * 32, "../secret", "0" * 31 + "\n"])
def test_another_mark_leads_to_no_file(tmp_path: Path, mark: str) -> None:
    (tmp_path / "secret").write_text("{}")
    with pytest.raises(OSError, match=r"No such file|no result"):
        kept.read(str(tmp_path), mark)
