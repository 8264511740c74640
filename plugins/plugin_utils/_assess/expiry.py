# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the end of a certificate, or of a credential, is near enough to say so: the one threshold for all of them."""

from __future__ import annotations

#: Whole days before its end from which on something is a warning.
WARNING_DAYS = 30


def level(days_left: int | None, proven: bool = True) -> str:
    """``error`` after the end, ``warning`` shortly before it; ``ok`` if there is time left, or no end is known.

    :param proven: false for an end that somebody has noted: whether it is one, the registry says by refusing.
    """
    if days_left is None:
        return "ok"
    if days_left < 0:
        return "error" if proven else "warning"
    return "warning" if days_left <= WARNING_DAYS else "ok"
