# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``k3s_registries`` as somebody has given it."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.given import GivenProblem, read

CANARY = "canary-of-the-test"
AUTH = {"username": "robot", "password": CANARY}


def configuration(expires: object) -> dict[str, object]:
    return {"configs": {"harbor.example.com": {"auth": {**AUTH, "expires": expires}}}}


@pytest.mark.parametrize("expires", ["2100-01-31", datetime.date(2100, 1, 31)])
def test_a_mapping_may_state_an_end(expires: object) -> None:
    assert read(configuration(expires)).findings == []


@pytest.mark.parametrize("expires", [datetime.date(2100, 1, 31), datetime.datetime(2100, 1, 31, 12)])
def test_what_a_template_of_old_makes_of_a_date_is_explained(expires: object) -> None:
    with pytest.raises(GivenProblem, match="a day without quotes") as caught:
        read(str(configuration(expires)))
    assert CANARY not in str(caught.value)


def test_a_text_that_speaks_of_dates_is_a_text() -> None:
    assert read("# datetime.date(2100, 1, 31)\nmirrors: {}\n").findings == []
