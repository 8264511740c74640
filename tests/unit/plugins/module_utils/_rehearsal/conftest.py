# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hostile servers, and the stand-in's rules for K3s, which share no code with the product's."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.hostile.fixture import hostile, hostile_pki

for folder in (Path(__file__).parents[5] / "tests" / "fleet", Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

__all__ = ["hostile", "hostile_pki"]
