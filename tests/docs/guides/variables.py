# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the collection: which playbook takes which, and whether a value is one that it accepts."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, Mapping

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

import tests.conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable
from tests.docs.guides import modules
from tests.docs.variables_page import group_of

# isort: split
from ansible_collections.k3sfleet.registries.plugins.module_utils._lint.lint import lint
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._rollout import agents_at_once, stop_after

Options = Mapping[str, Mapping[str, Any]]
CHECKOUT = Path(__file__).resolve().parents[3]
PREFIX = "k3s_"
_ROLE = "k3s_registries"
#: The playbooks that run a role of their own on the nodes.
_OF_ANOTHER_ROLE = {"mirror_images": "k3s_image_mirror", "preload": "k3s_image_preload"}
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.S)
_SPEC_KEYS = ("type", "elements", "choices", "options", "aliases", "required")
#: Of the variables of the main entry point, those that count for every other one: they say what the nodes are.
_WHAT_NODES_ARE = ("Which hosts", "Where things are on the nodes")
#: Variables of the role that its main entry point documents, and only others use.
_NOT_OF_SITE = ("Before an upgrade", "Diagnose", "The report")


@functools.lru_cache(maxsize=None)
def _specs(role: str) -> Any:
    path = CHECKOUT / "roles" / role / "meta" / "argument_specs.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]


def _of_group(titles: tuple[str, ...]) -> dict[str, Any]:
    options = _specs(_ROLE)["main"]["options"]
    return {name: option for name, option in options.items() if group_of(name) in titles}


def _of_lint() -> dict[str, Any]:
    """The playbook ``lint`` has no role: its variables are options of its module."""
    [play] = yaml.safe_load((CHECKOUT / "playbooks" / "lint.yml").read_text(encoding="utf-8"))
    options, found = modules.options("k3sfleet.registries.k3s_registries_lint"), {}
    for option, value in play["tasks"][0]["k3sfleet.registries.k3s_registries_lint"].items():
        variable = re.match(r"\{\{ (\w+) \| default", value)
        if variable:
            found[variable[1]] = options[option]
    return found


def playbooks() -> list[str]:
    """Those of the collection, by the name below its own."""
    return sorted(path.stem for path in (CHECKOUT / "playbooks").glob("*.yml"))


@functools.lru_cache(maxsize=None)
def taken_by(playbook: str) -> Options:
    """The variables that a playbook of the collection really uses, with their types, by name."""
    if playbook == "lint":
        return _of_lint()
    if playbook == "awx":
        options: Options = _specs("k3s_registries_awx")["main"]["options"]
        return options
    nodes = _of_group(_WHAT_NODES_ARE)
    if playbook in _OF_ANOTHER_ROLE:
        return {**nodes, **_specs(_OF_ANOTHER_ROLE[playbook])["main"]["options"]}
    if playbook == "site":
        main = _specs(_ROLE)["main"]["options"]
        return {name: option for name, option in main.items() if group_of(name) not in _NOT_OF_SITE}
    return {**nodes, **_specs(_ROLE)[playbook]["options"]}


@functools.lru_cache(maxsize=None)
def all_variables() -> Options:
    """Those of all roles and playbooks; in ``group_vars``, each may be set."""
    found = dict(_of_lint())
    for folder in sorted((CHECKOUT / "roles").iterdir()):
        for spec in _specs(folder.name).values():
            found.update(spec.get("options") or {})
    return found


def entry_points(role: str) -> list[str]:
    """Those of one of the collection's roles; none if there is no such role."""
    return list(_specs(role)) if (CHECKOUT / "roles" / role).is_dir() else []


def mistakes(values: Mapping[str, Any], known: Options, taker: str = "the collection") -> list[str]:
    """What is wrong with variables: one that is not in ``known``, or a value that is not accepted.

    :param taker: who takes those in ``known``, for the words of a mistake.
    """
    found = []
    for name, value in values.items():
        if name not in known:
            found.append("%s does not take the variable %s" % (taker, name))
        elif not _is_template(value):
            found += ["%s: %s" % (name, problem) for problem in _value_problems(name, value, known[name])]
    return found


def option_mistakes(values: Mapping[str, Any], options: Options, module: str) -> list[str]:
    """What is wrong with the arguments of a module; those that are required count too."""
    filled = {name: _filled(value, options.get(name, {})) for name, value in values.items()}
    result = ArgumentSpecValidator({name: _spec(option) for name, option in options.items()}).validate(filled)
    return ["%s: %s" % (module, message) for message in result.error_messages]


def _value_problems(name: str, value: Any, option: Mapping[str, Any]) -> list[str]:
    filled = _filled(value, option)
    spec = {**_spec(option), "required": False}
    found = list(ArgumentSpecValidator({name: spec}).validate({name: filled}).error_messages)
    try:
        if name == "k3s_registries" and isinstance(filled, dict):
            found += [
                "%(code)s %(message)s" % finding
                for finding in lint(_dated(filled), shipping_keys=True)
                if finding["level"] == "error"
            ]
        elif name == "k3s_registries_agent_batch":
            agents_at_once.batch_sizes(filled, 100)
        elif name == "k3s_registries_stop_after" and filled:
            stop_after.parse(str(filled))
    except ValueError as problem:
        found.append(str(problem))
    return found


def _spec(option: Mapping[str, Any]) -> dict[str, Any]:
    spec = {key: option[key] for key in _SPEC_KEYS if key in option}
    if "options" in spec:
        spec["options"] = {name: _spec(inner) for name, inner in spec["options"].items()}
    return spec


def _is_template(value: Any) -> bool:
    return isinstance(value, str) and bool(_JINJA.search(value))


def _filled(value: Any, option: Mapping[str, Any]) -> Any:
    """A value with something of the right type in the place of expressions, which stand for what is somewhere else."""
    kind, inner = option.get("type", "str"), option.get("options") or {}
    if _is_template(value):
        sample = {"list": [], "dict": {}, "int": 1, "float": 1.0, "bool": True}.get(kind)
        return (option.get("choices") or [_JINJA.sub("text", value)])[0] if sample is None else sample
    if isinstance(value, dict):
        return {name: _filled(each, inner.get(name, {"type": "raw"})) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, {"type": option.get("elements", "raw"), "options": inner}) for each in value]
    return value


def _dated(config: Any) -> Any:
    """A configuration with a date in the place of an expression for the end of credentials."""
    if isinstance(config, dict):
        return {
            name: "2100-01-31" if (name, each) == ("expires", "text") else _dated(each) for name, each in config.items()
        }
    return [_dated(each) for each in config] if isinstance(config, list) else config
