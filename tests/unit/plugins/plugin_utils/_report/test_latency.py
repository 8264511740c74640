# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strips of dots: where they stand, that none is lost, and what stands beside them."""

from __future__ import annotations

import re

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import latency, words
from hypothesis import given
from hypothesis import strategies as st

from .hosts import document, endpoint, host


def measured(total: float | None, cause: str = "ok", status: int | None = 200) -> dict[str, object]:
    times = {"dns": 1.0, "tcp": None, "tls": None, "http": total and total - 1, "total": 9999}
    return host(endpoints=[endpoint(cause, status=status, times=times)])


def test_answers_silence_and_failures_are_told_apart() -> None:
    fleet = document(a=measured(10), b=measured(30, "unauthorized", 401), c=measured(5000, "timeout", None))
    (found,) = latency.endpoints(fleet)
    assert found.times == {"a": 10, "b": 30}
    assert (found.failing, found.silent) == ({"b", "c"}, {"c"})
    assert found.needed
    assert (found.slowest, found.median, found.p95) == ("b", 10, 30)
    assert (found.phase("dns"), found.phase("tls")) == ("1.0 ms", "\u2013")


def test_a_silent_fallback_is_no_fault_as_long_as_its_mirrors_work() -> None:
    fallback = endpoint("dns_failure", "default")
    (mirror, default) = latency.endpoints(document(a=host(endpoints=[endpoint(), fallback])))
    assert (mirror.needed, default.silent, default.needed) == (False, {"a"}, False)
    assert latency.endpoints(document(a=host(endpoints=[fallback])))[0].needed


def test_a_node_asked_twice_is_one_dot_its_slowest() -> None:
    entries = [endpoint(times={"http": 10}), endpoint(registry="quay.io", times={"http": 40})]
    (found,) = latency.endpoints(document(a=host(endpoints=entries)))
    assert found.times == {"a": 40}


def test_an_image_counts_only_where_the_endpoint_itself_was_not_asked() -> None:
    one = host(endpoints=[endpoint(times={"http": 10}), endpoint(image="x", times={"http": 400})])
    two = host(endpoints=[endpoint(image="x", times={"http": 300})])
    (found,) = latency.endpoints(document(a=one, b=two))
    assert found.times == {"a": 10, "b": 300}


def test_the_slowest_endpoint_comes_first_and_the_silent_one_last() -> None:
    entries = [
        endpoint(endpoint="https://silent", status=None),
        endpoint(endpoint="https://fast", times={"http": 5}),
        endpoint(endpoint="https://slow", times={"http": 900}),
    ]
    found = latency.endpoints(document(a=host(endpoints=entries)))
    assert [item.name for item in found] == ["https://slow", "https://fast", "https://silent"]


def test_the_axis_holds_whole_decades() -> None:
    axis = latency.scale(latency.endpoints(document(a=measured(3), b=measured(420))))
    assert (axis.low, axis.high) == (0, 3)
    assert [(tick.at, tick.label) for tick in axis.ticks()] == [
        (0, "1 ms"), (33.33, "10 ms"), (66.67, "100 ms"), (100, "1 s"),
    ]  # fmt: skip
    assert axis.at(10) == 33.33
    assert latency.scale([]) == latency.Scale(0, 3)


@given(st.lists(st.floats(min_value=0.01, max_value=60000), min_size=1, max_size=200), st.booleans())
def test_every_node_is_one_dot_inside_the_strip(times: list[float], failing: bool) -> None:
    found = latency.Endpoint("e", times={str(number): value for number, value in enumerate(times)})
    found.failing = set(found.times) if failing else set()
    axis = latency.scale([found])
    path = latency.dots(found, axis, failing)
    places = [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", path)]
    assert len(places) == len(times)
    assert all(0 <= x <= latency.WIDTH and 0 <= y <= latency.HEIGHT for x, y in places)
    assert latency.dots(found, axis, not failing) == ""


@pytest.mark.parametrize(
    ("value", "text"), [(0.84, "0.8 ms"), (9.96, "10.0 ms"), (10, "10 ms"), (999, "999 ms"), (1000, "1.0 s")]
)
def test_durations_are_read_at_a_glance(value: float, text: str) -> None:
    assert words.milliseconds(value) == text


@pytest.mark.parametrize(
    ("left", "text"),
    [(-3, "expired 3 days ago"), (-1, "expired 1 day ago"), (0, "today"), (1, "1 day"), (1095, "3 years")],
)
def test_days_are_said_as_one_says_them(left: int, text: str) -> None:
    assert words.days(left) == text
