# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""auth.expires: which spellings of a day are one, and what is made of them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import yaml
from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.lifetime import DAY, lifetime
from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.stated import (
    begin_of,
    day_of,
    stated_ends,
)
from hypothesis import given
from hypothesis import strategies as st

CANARY = "canary-of-the-test"
LOGIN = {"username": "robot$k3s", "password": CANARY}
JWT_TO_2100 = "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.canary"


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-31",
        '"2027-01-31"',
        "2027-01-31T23:59:59Z",
        '"2027-01-31T23:59:59Z"',
        '"2027-01-31T23:59:59.123+02:00"',
        '"2027-01-31 00:00:00 +0000"',
    ],
)
def test_a_day_is_one_however_yaml_reads_it(text: str) -> None:
    assert day_of(yaml.safe_load(text)) == "2027-01-31"


NO_DAYS = ["soon", "2027-02-30", "2027-13-01", "0000-01-01", "31.01.2027", "2027-1-31", "2027-01-31x", "2027-01-31T"]
ARABIC = "".join(chr(0x660 + int(digit)) if digit.isdigit() else digit for digit in "2027-01-31")


@pytest.mark.parametrize("value", [*NO_DAYS, ARABIC, "", "2027-01-31\n", CANARY, 20270131, True, [], {}])
def test_what_is_no_day_is_refused_and_not_repeated(value: Any) -> None:
    with pytest.raises(ValueError, match="is no day") as caught:
        day_of(value)
    assert CANARY not in str(caught.value)


@given(st.dates())
def test_every_day_is_read_back(day: datetime.date) -> None:
    text = day.isoformat()
    assert day_of(day) == day_of(text) == text


@given(st.dates(datetime.date(1970, 1, 1), datetime.date(9999, 12, 31)))
def test_a_day_begins_at_midnight_in_greenwich(day: datetime.date) -> None:
    assert begin_of(day.isoformat()) == (day - datetime.date(1970, 1, 1)).days * DAY


def test_the_days_of_a_configuration() -> None:
    config = {
        "configs": {
            "a": {"auth": dict(LOGIN, expires=datetime.date(2027, 1, 31))},
            "b": {"auth": dict(LOGIN, expires="2027-02-01")},
            "c": {"auth": LOGIN},
            "d": {"auth": dict(LOGIN, expires=None)},
            "e": {"auth": None, "tls": {}},
            "f": None,
        }
    }
    assert stated_ends(config) == {"a": "2027-01-31", "b": "2027-02-01"}
    assert stated_ends({}) == stated_ends({"configs": None}) == {}


def test_a_stated_end_counts_where_nothing_is_proven() -> None:
    life = lifetime(LOGIN, "2027-01-31")
    assert life is not None
    assert (life.ends, life.stated) == (begin_of("2027-01-31"), "2027-01-31")
    assert "ends on 2027-01-31" in life.sentence(life.ends - 1)
    assert "ended on 2027-01-31" in life.sentence(life.ends)
    assert life.is_near(life.ends - 30 * DAY)
    assert not life.is_near(life.ends - 31 * DAY)
    assert CANARY not in life.sentence(0) + life.kind.instead


@pytest.mark.parametrize("auth", [dict(LOGIN, username="AWS"), dict(LOGIN, password=JWT_TO_2100)])
def test_what_a_credential_says_itself_counts_more(auth: dict[str, str]) -> None:
    life = lifetime(auth, "2027-01-31")
    assert life is not None
    assert life.stated == ""
    assert life == lifetime(auth)


@pytest.mark.parametrize("auth", [{}, {"username": "robot"}, {"password": CANARY}])
def test_without_a_password_nothing_ends(auth: dict[str, str]) -> None:
    assert lifetime(auth, "2027-01-31") is None
