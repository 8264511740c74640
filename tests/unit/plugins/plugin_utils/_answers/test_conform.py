# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node's odd answer is its own affair: it is said what is wrong with it, and the fleet's report, table and
diagnosis are as they were without it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._answers.conform import (
    ANY,
    FLAG,
    NUMBER,
    TEXT,
    OddAnswer,
    conform,
)
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report import page
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.document import build
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._report.summary import summary
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify import failing
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.row import judge, row_of, verdict
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.table import table
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._verify.verified import verified_host
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples

SHAPE = {"name": TEXT, "count": NUMBER, "ok": FLAG, "items": [{"code": TEXT}], "times": {"*": NUMBER}, "other": ANY}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": 1}, "it.name is a number instead of a text"),
        ({"count": "1"}, "it.count is a text instead of a number"),
        ({"count": True}, "it.count is true or false instead of a number"),
        ({"count": float("nan")}, "it.count is a number that cannot be"),
        ({"count": 10**400}, "it.count is a number that cannot be"),
        ({"ok": "yes"}, "it.ok is a text instead of true or false"),
        ({"items": {}}, "it.items is a mapping instead of a list"),
        ({"items": [{"code": "a"}, None]}, "it.items[1] is null"),
        ({"items": [{"code": ["a"]}]}, "it.items[0].code is a list instead of a text"),
        ({"times": {"dns": "fast"}}, "it.times.dns is a text instead of a number"),
        ([], "it is a list instead of a mapping"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(OddAnswer) as caught:
        conform(value, SHAPE)
    assert str(caught.value) == message


def test_what_fits_stays() -> None:
    value = {"name": "a", "count": 1.5, "ok": False, "items": [{"code": "x", "more": [1]}], "times": {"a": 1}, "b": {}}
    assert conform(value, SHAPE) == value
    assert conform({"name": None, "other": {"a": [None, {"b": True}]}}, SHAPE)["name"] is None
    assert conform(None, SHAPE) is None


def test_neither_depth_nor_number_is_without_limit() -> None:
    deep: Any = "x"
    for _level in range(5000):
        deep = [deep]
    with pytest.raises(OddAnswer, match="too deeply"):
        conform({"other": deep}, SHAPE)
    with pytest.raises(OddAnswer, match="more than"):
        conform({"items": [{}] * 200_000}, SHAPE)


GOOD_INFO = {
    "info": {"state": "loaded", "release": "v1.34.3+k3s1", "role": "agent", "problems": [], "certificates": []}
}
GOOD_PROBE = {
    "endpoints": [
        {"image": "", "registry": "docker.io", "kind": "mirror", "endpoint": "https://m/v2", "url": "https://m/v2/",
         "cause": "ok", "message": "", "fix": "", "status": 200, "times": {"total": 3.0, "dns": 1.0},
         "certificate": {"subject": "CN=m", "issuer": "CN=ca", "not_after": "2027-01-31T00:00:00Z", "days_left": 60}}
    ]
}  # fmt: skip
GOOD_PULLS = {
    "pulls": [{"image": "a", "cause": "timeout", "endpoint": "m", "message": "m", "fix": "f", "evidence": ["l"]}]
}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def spoilt(draw: Any, good: Any) -> Any:
    """A good answer in one place of which stands something else."""
    spot = json.loads(json.dumps(good))
    place: Any = spot
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        inner = place[key]
        if not inner or not isinstance(inner, (dict, list)) or draw(st.booleans()):
            place[key] = draw(values)
            return spot
        place = inner


spoilt_answers = [
    st.composite(lambda draw, good=good: spoilt(draw, good))() for good in (GOOD_INFO, GOOD_PROBE, GOOD_PULLS)
]


@pytest.mark.nightly
@settings(max_examples=examples(250), deadline=None)
@given(*spoilt_answers, st.booleans())
def test_a_fleet_with_an_odd_node(info: Any, probe: Any, diagnosis: Any, with_page: bool) -> None:
    hosts = ["good", "odd"]
    infos, probes, pulls = ({"good": good, "odd": odd} for good, odd in (
        (GOOD_INFO, info), (GOOD_PROBE, probe), (GOOD_PULLS, diagnosis)
    ))  # fmt: skip
    document = build(hosts, infos, probes, pulls, {}, "2026-11-25T14:02:00Z")
    alone = build(["good"], infos, probes, pulls, {}, "2026-11-25T14:02:00Z")
    assert document["hosts"]["good"] == alone["hosts"]["good"]
    assert summary(document)["nodes"] == 2
    if with_page:
        assert "odd" in page.html(document, "Report")
    canary = {"pulls": [dict(GOOD_PULLS["pulls"][0], ok=True, seconds=1.0)]}
    judged = [verdict("good", GOOD_INFO, GOOD_PROBE, canary, True), verdict("odd", info, probe, diagnosis, True)]
    assert judged[0]["ok"] is True
    assert any(line.startswith("odd ") for line in table(judged))
    assert failing.lines(failing.examined(pulls, infos))[-1]


@pytest.mark.parametrize(
    ("info", "probe", "pulls", "said"),
    [
        ({"info": {"problems": [{"code": 1}]}}, GOOD_PROBE, GOOD_PULLS, "info.problems[0].code is a number"),
        ({"info": ["x"]}, GOOD_PROBE, GOOD_PULLS, "info is a list instead of a mapping"),
        (GOOD_INFO, {"endpoints": [{"times": {"total": "long"}}]}, GOOD_PULLS, "endpoints[0].times.total is a text"),
        (GOOD_INFO, GOOD_PROBE, {"pulls": {"image": "a"}}, "pulls is a mapping instead of a list"),
    ],
)
def test_its_row_says_what_was_wrong(info: Any, probe: Any, pulls: Any, said: str) -> None:
    document = build(["odd"], {"odd": info}, {"odd": probe}, {"odd": pulls}, {}, "")
    assert said in document["hosts"]["odd"]["errors"][0]["message"]
    assert said in page.html(document, "Report")
    found = judge("odd", info, probe, pulls, True)
    judged = row_of(found)
    assert judged["ok"] is False
    verified = verified_host({"info": info, "probe": probe, "canary": pulls}, found)
    assert (verified["passes"], said in verified["errors"][0]["message"]) == (False, True)
    assert said in {item["code"]: item["message"] for item in verified["failures"]}["odd_answer"]
    assert said in "\n".join(table([judged]))
    if "pulls" in said:
        assert said in "\n".join(failing.lines(failing.examined({"odd": pulls}, {"odd": info})))
