# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/design.md: what it says where to look is there."""

from __future__ import annotations

import re

from tests.docs.pages import CHECKOUT

PAGE = (CHECKOUT / "docs" / "design.md").read_text(encoding="utf-8")


def _rows(heading: str) -> list[str]:
    """The rows of the table below a heading, without its head."""
    section = PAGE.split("\n## %s\n" % heading)[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


def test_every_behaviour_leads_to_files_that_exist() -> None:
    rows = _rows("If you look for ... it is in ...")
    assert len(rows) >= 15
    for row in rows:
        paths = re.findall(r"`(plugins/[\w/.]+)`", row)
        assert paths, row
        for path in paths:
            assert (CHECKOUT / path).is_file(), "%s is not there: %s" % (path, row)


def test_what_the_table_names_in_a_file_is_in_it() -> None:
    row = next(row for row in _rows("If you look for ... it is in ...") if "`remove`" in row)
    path, functions = re.findall(r"`(plugins/[\w/.]+)`", row)[0], re.findall(r"`([a-z]+)`", row.split("|")[2])
    text = (CHECKOUT / path).read_text(encoding="utf-8")
    assert functions
    assert not [name for name in functions if "def %s(" % name not in text]


def test_every_room_is_in_the_table_of_folders() -> None:
    rows = "\n".join(_rows("Where what lives"))
    for kind in ("module_utils", "plugin_utils"):
        named = {
            name for row in rows.splitlines() if "plugins/%s/" % kind in row for name in re.findall(r"_[a-z_]+\b", row)
        }
        rooms = {path.name for path in (CHECKOUT / "plugins" / kind).glob("_*") if path.is_dir()} - {"__pycache__"}
        assert not rooms - named, "docs/design.md lacks %s" % ", ".join(sorted(rooms - named))
