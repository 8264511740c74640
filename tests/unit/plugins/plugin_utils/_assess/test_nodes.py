# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The condition of a node: the worst that is known of it, and every reason."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.levels import LEVELS
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._assess.nodes import (
    CONDITIONS,
    STATES,
    Reason,
    assess,
)

from tests.unit.plugins.plugin_utils._report.hosts import endpoint, host, info


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"unreachable": "no route", "info": None}, "unreachable"),
        ({"info": None}, "unknown"),
        ({"errors": [{"module": "k3s_registry_probe", "message": "no"}]}, "unknown"),
        ({"info": info(state="pending")}, "pending"),
        ({"info": info(state="drifted")}, "drifted"),
        ({"info": info(state="foreign")}, "foreign"),
        ({"info": info(state="unreadable")}, "error"),
        ({"info": info(state="stopped")}, "idle"),
        ({"info": info(state="not_installed")}, "idle"),
        ({"pulls": [{"image": "a"}]}, "failing"),
        ({"endpoints": [endpoint("timeout")]}, "failing"),
        ({"endpoints": [endpoint("timeout"), endpoint("ok", "default")]}, "warning"),
        ({"info": info(certificates=[{"days_left": -1}])}, "error"),
        ({"info": info(certificates=[{"days_left": 30}])}, "warning"),
        ({"info": info(certificates=[{"days_left": 31}])}, "ok"),
        ({"info": info(certificates=[{"days_left": 99, "key_matches": False}])}, "error"),
        ({"info": info(problems=[{"code": "x", "level": "error"}])}, "error"),
        ({"info": info(problems=[{"code": "x", "level": "warning"}])}, "warning"),
        ({"info": info(problems=[{"code": "x", "level": "info"}])}, "ok"),
    ],
)
def test_each_trouble_has_its_condition(parts: dict[str, Any], expected: str) -> None:
    found = assess(host(**parts))
    assert found.condition == expected
    assert found.level == CONDITIONS[expected]


def test_every_level_is_one() -> None:
    assert {*CONDITIONS.values(), *STATES.values()} <= set(LEVELS)


def test_the_worst_wins_and_no_reason_is_lost() -> None:
    problems = [{"code": "proxy", "level": "warning"}, {"code": "certificate_expired", "level": "error"}]
    found = assess(
        host(
            errors=[{"module": "k3s_pull_diagnosis", "message": "no"}],
            info=info(state="pending", certificates=[{"days_left": 400}, {"days_left": 3}], problems=problems),
            endpoints=[endpoint("dns_failure"), endpoint("timeout", registry="q"), endpoint("ok", "default", "q")],
            pulls=[{"image": "a"}],
        )
    )
    assert (found.condition, found.level, found.troubled, found.days_left) == ("failing", "error", True, 3)
    assert found.reasons == (
        Reason("unknown", "module", ("k3s_pull_diagnosis",)),
        Reason("error", "registries", ("docker.io",)),
        Reason("warning", "registries", ("q",)),
        Reason("error", "pulls", ("a",)),
        Reason("warning", "state", ("pending",)),
        Reason("warning", "certificates"),
        Reason("warning", "problems", ("proxy",)),
    )


def test_of_a_node_that_cannot_be_reached_nothing_else_is_said() -> None:
    found = assess(host(unreachable="no route", errors=[{"module": "k3s_registry_probe", "message": "no"}]))
    assert found.reasons == (Reason("unknown", "unreachable"),)
