# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variable of the role becomes which option of its modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.k3sfleet.registries.plugins.module_utils._node.arguments import STAGE_ARGUMENTS
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._settings import module_options

DEFAULTS: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[5] / "roles" / "k3s_registries" / "defaults" / "main.yml").read_text(encoding="utf-8")
)
GROUPS = {"server": ["one", "twice"], "agent": ["two", "twice"]}


@pytest.mark.parametrize(
    ("host", "role"), [("one", "server"), ("two", "agent"), ("twice", "both"), ("other", "neither")]
)
def test_the_groups_say_what_a_node_is(host: str, role: str) -> None:
    assert module_options.node(DEFAULTS.get, host, GROUPS)["node_role"] == role


def test_other_groups_and_those_that_the_inventory_lacks() -> None:
    named = {**DEFAULTS, "k3s_registries_server_group": "masters", "k3s_registries_agent_group": "agent"}
    told = module_options.node(named.get, "two", GROUPS)
    assert (told["node_role"], told["cluster"]) == ("agent", "masters/agent")
    assert module_options.node(named.get, "one", GROUPS)["node_role"] == "neither"


def test_each_option_is_one_of_the_modules_and_has_a_default_of_the_role() -> None:
    told = {**module_options.node(DEFAULTS.get, "one", GROUPS), **module_options.wanted(DEFAULTS.get)}
    assert set(told) <= set(STAGE_ARGUMENTS)
    assert None not in told.values()


def test_the_file_of_the_node_has_a_variable_with_a_shorter_name() -> None:
    told = module_options.node({**DEFAULTS, "k3s_registries_file": "/etc/other.yaml"}.get, "one", GROUPS)
    assert told["registries_file"] == "/etc/other.yaml"


def test_a_setting_that_nobody_set_says_nothing_and_one_that_is_false_says_so() -> None:
    assert "embedded_registry" not in module_options.wanted(DEFAULTS.get)
    told = module_options.wanted({**DEFAULTS, "k3s_registries_embedded_registry": False}.get)
    assert told["embedded_registry"] is False


@pytest.mark.parametrize(
    ("applied", "live", "settle", "follows"),
    [
        ("restart", False, False, True),
        ("live", True, False, True),
        ("settle", False, True, True),
        ("stage", False, False, False),
    ],
)
def test_what_apply_means(applied: str, live: bool, settle: bool, follows: bool) -> None:
    told = module_options.wanted({**DEFAULTS, "k3s_registries_apply": applied}.get)
    assert (told["live"], told["settle"], told["rollout"]["follows"]) == (live, settle, follows)


@pytest.mark.parametrize(
    ("said", "verifies"),
    [
        ({}, False),
        ({"k3s_registries_verify": True}, True),
        # As --extra-vars has it.
        ({"k3s_registries_verify": "yes"}, True),
        ({"k3s_registries_verify": "no"}, False),
        ({"k3s_registries_verify": True, "k3s_registries_apply": "stage"}, False),
        ({"k3s_registries_verify": True, "k3s_registries_state": "absent"}, False),
    ],
)
def test_what_is_applied_is_verified_if_that_is_wanted(said: dict[str, Any], verifies: bool) -> None:
    assert module_options.wanted({**DEFAULTS, **said}.get)["rollout"]["verifies"] is verifies


def test_verify_asks_for_what_was_applied_and_for_nothing_of_how() -> None:
    named = {**DEFAULTS, "k3s_registries": {"mirrors": {}}, "k3s_registries_disable_default_endpoint": True}
    asked = module_options.applied(named.get)
    assert asked == {
        "config": {"mirrors": {}},
        "state": "present",
        "credential_providers": [],
        "credential_store": False,
        "disable_default_endpoint": True,
        # It only compares.
        "rancher_managed": "warn",
    }
    wanted = module_options.wanted(named.get)
    assert (asked.pop("rancher_managed"), wanted["rancher_managed"]) == ("warn", "refuse")
    assert asked.items() <= wanted.items()


def test_canary_images_are_for_a_state_with_registries() -> None:
    given = {**DEFAULTS, "k3s_registries_canary_images": ["image:1"]}
    assert module_options.wanted(given.get)["canary_images"] == ["image:1"]
    assert module_options.wanted({**given, "k3s_registries_state": "absent"}.get)["canary_images"] == []


def test_a_day_without_quotes_is_text() -> None:
    given = {"k3s_registries": yaml.safe_load("configs: {a: {auth: {expires: 2027-01-31}}}")}
    expected = {"configs": {"a": {"auth": {"expires": "2027-01-31"}}}}
    assert module_options.applied(given.get)["config"] == expected
    assert module_options.wanted(given.get)["config"] == expected


@pytest.mark.parametrize(("state", "rehearse"), [("present", "all"), ("absent", "never"), ("previous", "never")])
def test_who_takes_the_registries_away_or_goes_back_rehearses_nothing(state: str, rehearse: str) -> None:
    given = {"state": state, "rehearse": "all", "rehearsed": ["f"]}
    values = {**DEFAULTS, **{"k3s_registries_" + name: value for name, value in given.items()}}
    rollout = module_options.wanted(values.get)["rollout"]
    assert (rollout["rehearse"], rollout["rehearsed"]) == (rehearse, ["f"] if state == "present" else [])
