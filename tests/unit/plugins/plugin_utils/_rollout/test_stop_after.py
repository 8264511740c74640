# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a rollout begins no further node."""

from __future__ import annotations

import time
from typing import Iterator

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout.stop_after import (
    length,
    moment,
    parse,
    plan_line,
)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where clocks change in the night before the last Sundays of March and October, as POSIX writes it."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


def test_seconds_count_from_the_first_restart() -> None:
    assert moment(parse("60"), 100.0, 0.0) == 0.0
    assert moment(parse("60"), 100.0, 130.0) == 190.0
    assert moment(parse(""), 100.0, 130.0) == 0.0


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("said", "began", "stops"),
    [
        ("04:30", "2026-11-27 22:00:00", "2026-11-28 04:30:00"),
        ("04:30", "2026-11-27 01:00:00", "2026-11-27 04:30:00"),
        ("04:30", "2026-11-27 04:30:00", "2026-11-28 04:30:00"),
        ("00:00", "2026-12-31 23:59:59", "2027-01-01 00:00:00"),
        # In this night, the clock goes from 2 to 3, and in that one back.
        ("04:30", "2026-03-28 23:00:00", "2026-03-29 04:30:00"),
        ("04:30", "2026-10-24 23:00:00", "2026-10-25 04:30:00"),
    ],
)
def test_a_time_of_day_is_the_next_one_after_the_run_began(said: str, began: str, stops: str) -> None:
    assert time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment(parse(said), at(began), 0.0))) == stops


@pytest.mark.usefixtures("berlin")
def test_the_plan_says_when_it_is() -> None:
    began = at("2026-11-27 22:00:00")
    stop = parse("04:30")
    assert plan_line(stop, moment(stop, began, 0.0), began) == (
        "no node begins after 04:30:00, in about 6 h 30 min (k3s_registries_stop_after)"
    )
    assert plan_line(parse(""), 0.0, began) == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "10 s"), (44, "40 s"), (89, "90 s"), (100, "2 min"), (5340, "89 min"), (5401, "1 h 30 min"), (7200, "2 h")],
)
def test_a_length_is_as_exact_as_one_wants_to_know(seconds: float, said: str) -> None:
    assert length(seconds) == said
