# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.docs`` writes the generated pages of docs/."""

from __future__ import annotations

from tests.docs.pages import PAGES, write

if __name__ == "__main__":
    changed = write()
    for page in PAGES:
        print(f"{page}: {'written' if page in changed else 'unchanged'}")
