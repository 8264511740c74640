# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML in a guide: what a block is, by what is in it, and what is wrong with it as that."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple

import yaml
from ansible.galaxy.dependency_resolution.versioning import meets_requirements
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from tests.docs.guides import ci_files, expressions, plays, variables
from tests.docs.guides.pages import CHECKOUT, Guide

# isort: split
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._lint_output.command import main as registries_lint


class YamlProblem(ValueError):
    """A block cannot be read, or is of no kind that is known."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, of which PyYAML would silently take the last."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _value in node.value]  # type: ignore[no-untyped-call]
    for key in keys:
        if keys.count(key) > 1:
            raise YamlProblem("line %d: %s is given twice" % (node.start_mark.line + 1, key))
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
# GitHub's `on` is text, as YAML 1.2 has it.
_Loader.yaml_implicit_resolvers = {
    letter: [item for item in resolvers if item[0] != "tag:yaml.org,2002:bool" or letter not in "oO"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(text: str) -> Any:
    """The content of a block.

    :raises YamlProblem: if it cannot be read, or if a key is given twice.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        raise YamlProblem(str(error)) from error


class Kind(NamedTuple):
    """What a block can be; ``is_it`` tells by its content, ``mistakes`` says what is wrong with it."""

    name: str
    is_it: Callable[[Any], bool]
    mistakes: Callable[[Any, Guide], list[str]]


def kind_of(content: Any) -> Kind:
    """:raises YamlProblem: if it is none that is known."""
    for kind in KINDS:
        if kind.is_it(content):
            return kind
    raise YamlProblem("this is no kind of block that is known: add it to KINDS in %s" % __name__)


def mistakes(content: Any, guide: Guide) -> list[str]:
    """What is wrong with a block, but for what :mod:`plays` and :mod:`ci_files` find for all blocks in one run.

    :raises YamlProblem: if it is of no kind that is known.
    """
    kind = kind_of(content)
    found = kind.mistakes(content, guide)
    # GitHub has other expressions between braces.
    return found if kind.name in ("workflow", "steps") else found + expressions.mistakes(content)


def _is_list_of(content: Any, *keys: str) -> bool:
    """Whether it is a list of mappings, each with one of the keys."""
    return isinstance(content, list) and bool(content) and all(
        isinstance(item, dict) and any(key in item for key in keys) for item in content
    )  # fmt: skip


def _has(content: Any, *keys: str) -> bool:
    return isinstance(content, dict) and all(key in content for key in keys)


def _has_mappings_with(content: Any, *keys: str) -> bool:
    return isinstance(content, dict) and any(
        isinstance(value, dict) and any(key in value for key in keys) for value in content.values()
    )


def _is_tasks(content: Any) -> bool:
    return _is_list_of(content, "block", "name") or (
        isinstance(content, list)
        and all(isinstance(item, dict) and any("." in key for key in item) for item in content)
    )


def _is_variables(content: Any) -> bool:
    return isinstance(content, dict) and any(key.startswith(variables.PREFIX) for key in content)


def _variables(content: Mapping[str, Any], _guide: Guide) -> list[str]:
    """Variables of the collection, and the reader's own that those use."""
    own = {name: value for name, value in content.items() if name.startswith(variables.PREFIX)}
    found = variables.mistakes(own, variables.all_variables())
    unused = sorted(set(content) - set(own) - expressions.names(own))
    return found + ["%s is no variable of the collection, and none of them uses it" % name for name in unused]


def _inventory(content: Mapping[str, Any], _guide: Guide) -> list[str]:
    """Groups as Ansible reads them, with at least one host."""
    found = [mistake for name, group in content.items() for mistake in _group(name, group or {})]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inventory.yml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        if not InventoryManager(DataLoader(), sources=[str(path)]).hosts:
            found.append("there is no host in this inventory")
    return found


def _group(name: str, group: Mapping[str, Any]) -> list[str]:
    found = ["the group %s has %s" % (name, key) for key in group if key not in ("hosts", "children", "vars")]
    given = [group.get("vars") or {}, *(host or {} for host in (group.get("hosts") or {}).values())]
    for values in given:
        own = {key: value for key, value in values.items() if key.startswith(variables.PREFIX)}
        found += variables.mistakes(own, variables.all_variables())
    for child, inner in (group.get("children") or {}).items():
        found += _group(child, inner or {})
    return found


def _registries(content: Mapping[str, Any], _guide: Guide) -> list[str]:
    """A registries.yaml without an error that lint finds."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(said):
        path = Path(folder) / "registries.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        failed = registries_lint(["--output", "text", str(path)])
    return [said.getvalue().strip()] if failed else []


def _requirements(content: Mapping[str, Any], _guide: Guide) -> list[str]:
    """Collections, this one in a version that there is."""
    version = str(yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    found = []
    for entry in content["collections"]:
        if set(entry) - {"name", "version", "source", "type", "signatures"} or "name" not in entry:
            found.append("an entry of collections has a name and perhaps a version: %s" % entry)
        elif entry["name"] == "k3sfleet.registries" and not meets_requirements(version, entry.get("version", "*")):
            found.append("version %s is not %s" % (version, entry["version"]))
    return found


def _kubernetes(content: Mapping[str, Any], guide: Guide) -> list[str]:
    """An object with a name; of Rancher's cluster, the registries too."""
    found = [] if (content.get("metadata") or {}).get("name") else ["the object has no metadata.name"]
    if (content["apiVersion"], content["kind"]) == ("provisioning.cattle.io/v1", "Cluster"):
        registries = content["spec"]["rkeConfig"]["registries"]
        return found + _registries({"mirrors": registries["mirrors"]}, guide)
    return [*found, "%(apiVersion)s %(kind)s is not known" % content]


KINDS = (
    Kind("plays", lambda it: _is_list_of(it, "hosts", "import_playbook", "ansible.builtin.import_playbook"),
         lambda it, _guide: plays.play_mistakes(it)),
    Kind("steps", lambda it: _is_list_of(it, "uses", "run"),
         lambda it, guide: ci_files.workflow_mistakes(ci_files.as_workflow(it), guide)),
    Kind("tasks", _is_tasks, lambda it, _guide: plays.task_mistakes(it)),
    Kind("Kubernetes object", lambda it: _has(it, "apiVersion", "kind"), _kubernetes),
    Kind("inventory", lambda it: _has_mappings_with(it, "hosts", "children", "vars"), _inventory),
    Kind("variables", _is_variables, _variables),
    Kind("registries.yaml", lambda it: _has(it, "mirrors") or _has(it, "configs"), _registries),
    Kind("requirements", lambda it: _has(it, "collections"), _requirements),
    Kind("pre-commit", lambda it: _has(it, "repos"), ci_files.pre_commit_mistakes),
    Kind("workflow", lambda it: _has(it, "jobs"), ci_files.workflow_mistakes),
    Kind("pipeline", lambda it: _has_mappings_with(it, "script"), ci_files.pipeline_mistakes),
)  # fmt: skip
"""The first that fits counts."""
