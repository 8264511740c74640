# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the fleet (`tests.fleet`) and the stand-in (`stand_in`, as its nodes import it) importable."""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
for folder in (CHECKOUT / "tests" / "fleet", CHECKOUT):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
