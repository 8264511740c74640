# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations as Go reads them (``time.ParseDuration``), which is how the kubelet reads those of its configuration."""

from __future__ import annotations

import re

_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_WHOLE = re.compile(r"(?:%s)+" % _PART.pattern)
_NANOSECONDS = {
    "ns": 1, "us": 10**3, "\u00b5s": 10**3, "\u03bcs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9,
    "h": 3600 * 10**9,
}  # fmt: skip
_LONGEST = 2**63 - 1
# More digits than the longest duration has, with its fractions.
_MOST_LETTERS = 100


def seconds(text: str) -> float:
    """A duration such as ``12h`` or ``1m30.5s`` in seconds, below zero for one with a minus.

    :raises ValueError: if Go would not read it, or it is longer than the 292 years that Go can count.
    """
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    if unsigned == "0":
        return 0.0
    if len(text) > _MOST_LETTERS or not _WHOLE.fullmatch(unsigned):
        raise ValueError("%r is no duration such as 12h, 30m or 1m30s" % text)
    total = 0
    for number, unit in _PART.findall(unsigned):
        whole, _dot, fraction = number.partition(".")
        total += int(whole or 0) * _NANOSECONDS[unit]
        if fraction:
            total += int(fraction) * _NANOSECONDS[unit] // 10 ** len(fraction)
    if total > _LONGEST + (text[:1] == "-"):
        raise ValueError("%r is longer than 292 years" % text)
    return (-total if text.startswith("-") else total) / 1e9
