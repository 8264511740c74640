# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the tests' own kubelet (`stand_in`, as a fleet's nodes import it) importable."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = str(Path(__file__).resolve().parents[3] / "tests" / "fleet")
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)
