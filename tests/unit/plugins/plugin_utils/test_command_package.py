# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command registries-lint is installed with every room that it imports, and with no other."""

from __future__ import annotations

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[4]
COLLECTION = "ansible_collections.k3sfleet.registries."
ENTRANCE = "plugins.plugin_utils._lint_output.command"


def imported(package: Path) -> set[str]:
    """The packages of the collection that the modules of a package import."""
    found: set[str] = set()
    for module in package.glob("*.py"):
        source = module.read_text(encoding="utf-8")
        for name, names in re.findall(r"from ansible_collections\.k3sfleet\.registries\.([\w.]+) import (\w+)", source):
            path = CHECKOUT / name.replace(".", "/")
            found.add(name if path.is_dir() and (path / names).with_suffix(".py").exists() else name.rsplit(".", 1)[0])
    return found


def test_every_room_that_the_command_imports_is_installed_with_it() -> None:
    listed = re.search(r"(?ms)^packages = \[\n(.*?)^\]", (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    assert listed is not None
    installed = {name.removeprefix(COLLECTION) for name in re.findall(r'"([^"]+)"', listed[1])}
    wanted = {ENTRANCE.rsplit(".", 1)[0]}
    while True:
        # plugin_utils itself holds single modules, of which the command needs few; it is no room.
        rooms = {room for room in wanted if room != "plugins.plugin_utils"}
        more = wanted.union(*(imported(CHECKOUT / room.replace(".", "/")) for room in rooms))
        if more == wanted:
            break
        wanted = more
    assert wanted == installed
