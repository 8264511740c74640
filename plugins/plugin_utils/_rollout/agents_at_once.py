# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many agents restart at once."""

from __future__ import annotations

import re
from typing import Any


class BatchProblem(ValueError):
    """Neither a number nor a percentage."""


def batch_size(batch: Any, total: int) -> int:
    """``batch``, a number or a percentage of ``total`` agents rounded down, as a number of agents; at least 1.

    :raises BatchProblem: for anything but a positive number or a percentage from 1 to 100.
    """
    match = re.match(r"^\s*(\d+)\s*(%?)\s*\Z", str(batch))
    number = int(match.group(1)) if match else 0
    percentage = bool(match and match.group(2))
    if number < 1 or (percentage and number > 100):
        raise BatchProblem("%r is neither a positive number of agents nor a percentage such as 25%%" % (batch,))
    return max(1, total * number // 100) if percentage else number
