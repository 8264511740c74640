# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the newcomer's walk takes from the guides."""

from __future__ import annotations

from tests.newcomer.__main__ import ELSEWHERE, guides


def test_what_is_not_run_is_in_a_guide() -> None:
    commands = {command for found in guides().values() for block in found for command in block.commands}
    assert set(ELSEWHERE) <= commands
    assert any("site --check --diff" in command for command in commands)
