# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RE2, if it is installed."""

from __future__ import annotations

from typing import Any


def rewrite_engine() -> Any:
    """The module ``re2`` of google-re2, or None if it is not installed."""
    try:
        import re2
    except ImportError:
        return None
    return re2
