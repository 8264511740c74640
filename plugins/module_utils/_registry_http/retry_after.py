# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a registry that is asked too often wants to be left alone."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime


def retry_after(text: str) -> float | None:
    """Seconds that a ``Retry-After`` asks for; None if it asks for nothing that can be understood."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time()) if text else None
    except (TypeError, ValueError, OverflowError):
        return None
