# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings that only repeat an earlier one: with a misspelt key, a mirror looks as if it had no endpoint."""

from __future__ import annotations

from typing import Any, Mapping, Sequence, TypeVar

#: The rules that say that something is missing, and how many parts of the path lie below what it is missing from.
MISSING = {
    "K3R222": 1,
    "K3R223": 1,
    "K3R225": 0,
    "K3R231": 0,
    "K3R244": 1,
    "K3R251": 0,
    "K3R273": 0,
    "K3R274": 1,
}

FindingT = TypeVar("FindingT", bound=Mapping[str, Any])


def without_echoes(findings: Sequence[FindingT]) -> list[FindingT]:
    """The findings without those that follow from a fault of shape.

    What is wrong in shape (K3R1xx) has one finding: what its meaning would be says nothing. What a misspelt or
    misplaced key was meant to give is not reported as missing, too.
    """
    causes = {finding["path"] for finding in findings if _is_shape(finding) and finding["path"]}
    if not causes:
        return list(findings)
    return [finding for finding in findings if _is_shape(finding) or not _follows(finding, causes)]


def _is_shape(finding: Mapping[str, Any]) -> bool:
    return str(finding["code"]).startswith("K3R1")


def _follows(finding: Mapping[str, Any], causes: set[str]) -> bool:
    if finding["path"] in causes:
        return True
    if finding["code"] not in MISSING:
        return False
    place = str(finding["path"])
    if MISSING[finding["code"]]:
        place = place.rpartition(".")[0]
    return any(cause.startswith(f"{place}.") if place else "." not in cause for cause in causes)
