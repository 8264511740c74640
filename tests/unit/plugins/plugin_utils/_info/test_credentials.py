# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of credentials, whatever a node says of them."""

from __future__ import annotations

import pytest
from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.lifetime import DAY
from ansible_collections.k3sfleet.registries.plugins.module_utils._credentials.stated import begin_of
from ansible_collections.k3sfleet.registries.plugins.module_utils._rules.config import normalise
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._info.credentials import described
from hypothesis import given
from hypothesis import strategies as st

CANARY = "canary-of-the-test"
CONFIG = normalise({"configs": {"harbor": {"auth": {"username": "robot", "password": CANARY}}, "quay.io": {"tls": {}}}})
END = begin_of("2027-01-31")


@pytest.mark.parametrize(
    ("now", "level", "left"),
    [
        (END - 31 * DAY, "ok", 31),
        (END - 30 * DAY, "warning", 30),
        (END - 1, "warning", 0),
        (END, "warning", 0),
        (END + 1, "warning", -1),
        (END + 400 * DAY, "warning", -400),
    ],
)
def test_a_stated_end_warns_from_thirty_days_before_and_never_fails(now: float, level: str, left: int) -> None:
    (entry,) = described(CONFIG, {"harbor": "2027-01-31", "quay.io": "2027-01-31"}, now, 0.0)
    assert (entry["registry"], entry["level"], entry["days_left"]) == ("harbor", level, left)
    assert entry["ended"] == (now >= END)
    assert CANARY not in repr(entry)


@given(st.text(), st.floats(0, 1e11))
def test_a_node_can_say_anything(said: str, now: float) -> None:
    for entry in described(CONFIG, {"harbor": said}, now, 0.0):
        assert entry["level"] in ("ok", "warning")


@pytest.mark.parametrize("said", ["", "soon", "2027-02-30", "-1-1-1", "99999-01-01"])
def test_what_is_no_day_is_not_known(said: str) -> None:
    assert described(CONFIG, {"harbor": said}, END, 0.0) == []
