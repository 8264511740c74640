# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which configurations say nothing."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._findings.given import read
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._settings.emptiness import problem

UNSET = dict.fromkeys(("disable_default_endpoint", "embedded_registry", "system_default_registry"))
SET: list[dict[str, Any]] = [
    {**UNSET, "disable_default_endpoint": False},
    {**UNSET, "embedded_registry": True},
    {**UNSET, "system_default_registry": "registry.example.com"},
]
EMPTY: list[dict[str, Any]] = [
    {"mirrors": None, "configs": None},
    {"mirrors": {}, "configs": {}},
    {"mirrors": None},
    {"configs": {}},
    {"mirrors": {}, "configs": {"registry.example.com": None}},
    {"configs": {"registry.example.com": {"auth": None, "tls": {}}}},
    {"configs": {"registry.example.com": {"auth": {"username": "", "password": None}}}},
]
BARE: list[dict[str, Any]] = [
    {"mirrors": {"docker.io": None}},
    {"mirrors": {"docker.io": {}, "*": {"endpoint": []}}, "configs": None},
    {"mirrors": {"docker.io": {"endpoint": None, "rewrite": {"a": "b"}}}},
]


@pytest.mark.parametrize("config", EMPTY)
@pytest.mark.parametrize("settings", [UNSET, *SET])
def test_one_without_anything_in_it_is_a_mistake_whatever_the_settings(config: Any, settings: Any) -> None:
    said = problem(read(config), settings)
    assert said.startswith("k3s_registries has nothing in it that K3s would use (")
    assert "state: absent" in said


def test_it_is_said_what_is_empty() -> None:
    assert "(mirrors: null; configs: empty)" in problem(read({"mirrors": None, "configs": {}}), UNSET)
    said = problem(read({"configs": {"b.example.com": None, "a.example.com": {}}}), UNSET)
    assert "(no mirrors; configs: nothing but empty entries (a.example.com, b.example.com))" in said


@pytest.mark.parametrize("config", [None, {}])
def test_settings_alone_are_something(config: Any) -> None:
    assert problem(read(config), UNSET).startswith("k3s_registries is empty, and so are the settings")
    assert [problem(read(config), settings) for settings in SET] == ["", "", ""]


@pytest.mark.parametrize("config", BARE)
def test_a_mirror_without_endpoints_is_the_embedded_registry_s_unless_that_is_off(config: Any) -> None:
    assert problem(read(config), UNSET) == ""
    assert problem(read(config), {**UNSET, "embedded_registry": True}) == ""
    assert "nothing but empty entries" in problem(read(config), {**UNSET, "embedded_registry": False})


@pytest.mark.parametrize(
    "config",
    [
        {"mirrors": {"docker.io": {"endpoint": ["https://m.example.com"]}}},
        {"mirrors": {"docker.io": {"endpoint": ["https://m.example.com"]}, "quay.io": None}, "configs": None},
        {"configs": {"m.example.com": {"auth": {"username": "robot"}}}},
        {"configs": {"m.example.com": {"tls": {"insecure_skip_verify": False}}}},
        # Nothing that K3s reads, but an error of lint's, which says what is meant.
        {"mirrros": {"docker.io": None}},
        {"mirrors": []},
        {"mirrors": "", "configs": "x"},
        {"auths": {"m.example.com": {}}},
    ],
)
def test_anything_else_is_not_empty(config: Any) -> None:
    assert problem(read(config), {**UNSET, "embedded_registry": False}) == ""


@pytest.mark.parametrize("text", ["", "# nothing\n", "mirrors:\nconfigs: {}\n", "---\n"])
def test_a_text_without_anything_in_it_is_a_mistake(text: str) -> None:
    assert problem(read(text), UNSET).startswith("k3s_registries has nothing in it that K3s would use (")
