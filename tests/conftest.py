# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes `ansible_collections.k3sfleet.registries` importable from any checkout folder.

Python finds the collection through the link that `make links` keeps; it is made here too, so that
a bare `pytest` in a fresh clone works.
"""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
COLLECTIONS = CHECKOUT / ".ansible" / "collections"
LINK = COLLECTIONS / "ansible_collections" / "k3sfleet" / "registries"

if not LINK.exists():
    LINK.parent.mkdir(parents=True, exist_ok=True)
    LINK.symlink_to(CHECKOUT, target_is_directory=True)
sys.path.insert(0, str(COLLECTIONS))
