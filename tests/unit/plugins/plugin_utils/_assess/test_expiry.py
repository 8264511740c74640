# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One threshold for every end, and the level of a certificate."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint import certificates as rules
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess import certificates, expiry


@pytest.mark.parametrize(("days", "level"), [(None, "ok"), (31, "ok"), (30, "warning"), (0, "warning"), (-1, "error")])
def test_an_end(days: int | None, level: str) -> None:
    assert expiry.level(days) == level
    assert certificates.level({"days_left": days}) == level


@pytest.mark.parametrize(("days", "level"), [(None, "ok"), (31, "ok"), (30, "warning"), (-1, "warning")])
def test_an_end_that_nobody_has_proven_only_warns(days: int | None, level: str) -> None:
    assert expiry.level(days, proven=False) == level


@pytest.mark.parametrize("entry", [{"days_left": 99, "key_matches": False}, {"error": "the file is empty"}])
def test_a_certificate_that_is_of_no_use_is_an_error_long_before_its_end(entry: dict[str, Any]) -> None:
    assert certificates.level(entry) == "error"
    assert certificates.level({**entry, "key_matches": True, "error": ""}) == "ok"


def test_the_first_to_end_counts() -> None:
    assert certificates.soonest({"certificates": [{"days_left": 40}, {"days_left": None}, {"days_left": 7}]}) == 7
    assert certificates.soonest({"certificates": [{"days_left": None}]}) is None
    assert certificates.soonest({}) is None


def test_the_linter_says_the_same_number() -> None:
    assert "%d days" % expiry.WARNING_DAYS in rules.EXPIRES_SOON.title
