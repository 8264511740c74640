# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that somebody else has chosen, as one line that a terminal interprets nothing of."""

from __future__ import annotations

import re
from typing import Match

# Controls (C0, DEL, C1), line and paragraph separators, what changes the direction of text, and lone surrogates.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    """``text`` with its control characters written out, such as ``\\n`` and ``\\x1b``."""
    return _INVISIBLE.sub(_written, text)


def _written(found: Match[str]) -> str:
    return found.group().encode("unicode_escape", "surrogatepass").decode("ascii")
