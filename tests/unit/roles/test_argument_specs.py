# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's argument_specs say what its defaults are, for every entry point."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

_ROLES = Path(__file__).parents[3] / "roles"


def _specs(role: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text("utf-8"))["argument_specs"]
    return read


_SPECS = [
    pytest.param(role, entry, spec, id="%s-%s" % (role.name, entry))
    for role in sorted(_ROLES.iterdir())
    for entry, spec in _specs(role).items()
]


@pytest.mark.parametrize(("role", "entry", "spec"), _SPECS)
def test_the_documented_default_is_the_default(role: Path, entry: str, spec: dict[str, Any]) -> None:
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text("utf-8"))
    options = spec["options"]
    assert {name: option["default"] for name, option in options.items() if "default" in option} == {
        name: value for name, value in defaults.items() if name in options
    }
    assert not [name for name, option in options.items() if option.get("required") and name in defaults]
    assert entry != "main" or set(defaults) <= set(options)


@pytest.mark.parametrize(("role", "entry", "spec"), _SPECS)
def test_another_entry_point_takes_some_of_main_s_variables_and_no_other(
    role: Path, entry: str, spec: dict[str, Any]
) -> None:
    main = _specs(role)["main"]["options"]
    assert {name: main.get(name) for name in spec["options"]} == spec["options"]


@pytest.mark.parametrize(("role", "entry", "spec"), _SPECS)
def test_an_entry_point_has_its_tasks_and_every_option_a_description(
    role: Path, entry: str, spec: dict[str, Any]
) -> None:
    assert (role / "tasks" / (entry + ".yml")).is_file()
    assert not [name for name, option in spec["options"].items() if not option.get("description")]


@pytest.mark.parametrize(("role", "entry", "spec"), _SPECS)
def test_a_description_names_variables_of_its_own_entry_point(role: Path, entry: str, spec: dict[str, Any]) -> None:
    """With O(); others are named with C(). The documentation's site makes links of the first."""
    text = yaml.safe_dump(spec["options"], width=100_000)
    assert set(re.findall(r"\bO\((\w+)[=)]", text)) <= set(spec["options"])


@pytest.mark.parametrize("role", ["k3s_registries", "k3s_image_mirror", "k3s_image_preload"])
def test_a_day_without_quotes_passes(role: str) -> None:
    """YAML makes a date of it, and Ansible accepts none in an option with no_log."""
    auth = yaml.safe_load("{username: robot, password: canary, expires: 2027-01-31}")
    for spec in _specs(_ROLES / role).values():
        given = {"k3s_registries": {"configs": {"harbor.example.com": {"auth": auth}}}}
        options = {name: option for name, option in spec["options"].items() if name == "k3s_registries"}
        given = given if options else {}
        assert not ArgumentSpecValidator(options).validate(given).error_messages
