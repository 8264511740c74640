# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of YAML that a guide can show is told by what is in it, and each kind of mistake in it is found."""

from __future__ import annotations

import re

import pytest

from tests.docs.guides import check, yaml_kinds
from tests.docs.guides.pages import Guide

ROLE = "    - ansible.builtin.import_role:\n        name: k3sfleet.registries.k3s_registries\n"
RIGHT = {
    "variables": 'k3s_registries_agent_batch: [1, "10%"]\n'
    'k3s_registries_canary_images: "{{ mine | unique }}"\nmine: [a]\n',
    "inventory": "k3s_cluster:\n  vars: {k3s_registries_force: true}\n"
    "  children:\n    agent:\n      hosts: {'a-[1:3]': {}}\n",
    "plays": "- hosts: server:agent\n  vars: {k3s_registries_apply: stage}\n  tasks:\n" + ROLE,
    "tasks": "- name: Look\n  k3sfleet.registries.k3s_pull_diagnosis:\n    since: 4h\n"
    "  become: true\n  when: a is defined\n",
    "registries.yaml": 'mirrors:\n  docker.io:\n    endpoint: ["https://registry.example.com"]\n',
    "requirements": "collections:\n  - name: k3sfleet.registries\n    version: '>=1.0.0'\n  - name: awx.awx\n",
    "pre-commit": "repos:\n  - repo: https://github.com/k3sfleet/registries\n    rev: v1.0.0\n    hooks:\n"
    "      - id: registries-lint\n        args: [--fail-on, warning]\n",
    "workflow": "on: push\njobs:\n  lint:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n"
    "      - run: registries-lint .\n        if: ${{ always() }}\n",
    "steps": "- run: registries-lint .\n- uses: actions/checkout@v4\n",
    "pipeline": "lint:\n  image: python:3-slim\n  script:\n    - registries-lint .\n",
    "Kubernetes object": "apiVersion: provisioning.cattle.io/v1\nkind: Cluster\nmetadata: {name: edge}\nspec:\n"
    "  rkeConfig:\n    registries:\n      mirrors: {docker.io: {endpoint: ['https://registry.example.com']}}\n",
}
"""A block of each kind."""


def page(block: str, language: str = "yaml") -> Guide:
    return Guide("docs/a.md", "```%s\n%s\n```\n" % (language, block.rstrip("\n")))


def test_there_is_an_example_of_each_kind() -> None:
    assert set(RIGHT) == {kind.name for kind in yaml_kinds.KINDS}


@pytest.mark.parametrize("kind", RIGHT)
def test_a_block_is_told_by_what_is_in_it(kind: str) -> None:
    assert yaml_kinds.kind_of(yaml_kinds.read(RIGHT[kind])).name == kind
    assert check.mistakes(page(RIGHT[kind])) == []


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("variables", "agent_batch", "agents_batch", "does not take the variable k3s_registries_agents_batch"),
        ("variables", '[1, "10%"]', "{}", "neither a positive number"),
        ("variables", "{{ mine", "{{ yours", "mine is no variable of the collection, and none of them uses it"),
        ("variables", "| unique", "| uniqe", "there is no filter uniqe"),
        ("variables", "| unique", "| k3sfleet.registries.unique", "there is no filter k3sfleet.registries.unique"),
        (
            "variables",
            "mine | unique",
            "lookup('ansible.builtin.fiel', mine)",
            "there is no lookup ansible.builtin.f",
        ),
        ("variables", "mine | unique", "mine |", "expected token 'name'"),
        (
            "variables",
            "mine: [a]",
            "k3s_registries_agent_batch: 2",
            "line 1: .*_agent_batch is given twice",
        ),
        ("variables", "[a]", "[a", "expected ',' or ']'"),
        ("inventory", "children", "childrn", "the group k3s_cluster has childrn"),
        ("inventory", "{'a-[1:3]': {}}", "{}", "there is no host"),
        ("inventory", "force: true", "force: perhaps", "k3s_registries_force"),
        ("plays", "apply: stage", "apply: staged", "got: staged"),
        (
            "plays",
            "registries.k3s_registries",
            "registries.k3s_registry",
            "there is no role .*k3s_registry$",
        ),
        ("plays", "name: k3sfleet", "tasks_from: verfy.yml\n        name: k3sfleet", "has no entry point verfy"),
        ("plays", "        name:", "        nme:", "has no option nme"),
        ("tasks", "since", "sinse", "k3s_pull_diagnosis: .*sinse"),
        ("tasks", "since: 4h", "since: 4h\n    images: {a: 1}", "k3s_pull_diagnosis: .*images"),
        ("tasks", "k3s_pull_diagnosis", "k3s_pull_diagnose", "there is no module"),
        ("tasks", "k3sfleet.registries.", "", "a task needs one module, by its full name"),
        ("tasks", "is defined", "is defnied", "there is no test defnied"),
        ("registries.yaml", "endpoint", "endpoints", "K3R101"),
        ("requirements", ">=1.0.0", ">=7", "is not >=7"),
        ("requirements", "version", "verison", "has a name and perhaps a version"),
        ("pre-commit", "registries-lint", "registry-lint", "there is no hook registry-lint"),
        ("pre-commit", "warning", "warnings", "invalid choice: 'warnings'"),
        ("pre-commit", "v1.0.0", "main", "main is no release"),
        ("pre-commit", "k3sfleet/registries", "k3sfleet/registry", "a repository has repo"),
        ("workflow", "registries-lint", "registry-lint", "registry-lint is not known"),
        ("steps", "registries-lint .", "registries-lint", "arguments are required: FILE"),
        ("pipeline", "registries-lint .", "registries-lint --quite .", "unrecognized arguments: --quite"),
        ("Kubernetes object", "metadata: {name: edge}", "metadata: {}", "no metadata.name"),
        ("Kubernetes object", "endpoint", "endpoints", "K3R101"),
        ("Kubernetes object", "Cluster", "Machine", "provisioning.cattle.io/v1 Machine is not known"),
    ],
)
def test_what_is_wrong(kind: str, old: str, new: str, said: str) -> None:
    assert RIGHT[kind].count(old) >= 1
    found = "\n".join(check.mistakes(page(RIGHT[kind].replace(old, new))))
    assert re.search(said, found), found
    assert found.startswith("docs/a.md:1: ")


def test_what_only_ansible_and_the_schemas_find() -> None:
    wrong = {
        "plays": RIGHT["plays"].replace("  tasks:", "  taks:"),
        "tasks": RIGHT["tasks"].replace("become:", "bekome:"),
        "workflow": RIGHT["workflow"].replace("on: push\n", ""),
        "pipeline": RIGHT["pipeline"].replace("python:3-slim", "3"),
    }
    guides = [page(text)._replace(name=kind) for kind, text in wrong.items()]
    assert [found for guide in guides for found in check.mistakes(guide)] == []
    said = check.together([*guides, page(RIGHT["plays"])])
    assert [line.partition(":")[0] for line in said] == list(wrong)
    for word, line in zip(("taks", "bekome", "'on' is a required property", "image"), said):
        assert word in line


@pytest.mark.parametrize(
    ("block", "language", "said"),
    [
        ("- 1\n- 2", "yaml", "no kind of block that is known"),
        ("answer: 42", "yaml", "no kind of block that is known"),
        ('{"a": 1', "json", "delimiter"),
        ("def a(:", "python", "invalid syntax"),
        ("$ make", "console", "a block is of one of sh, yaml, json, python, text, not of 'console'"),
        ("make", "", "not of ''"),
        ("$ make\nmade", "text", "a command belongs in a block of sh"),
        ("$ make lint", "sh", "$ is not known"),
    ],
)
def test_blocks_of_other_languages(block: str, language: str, said: str) -> None:
    assert said in "\n".join(check.mistakes(page(block, language)))


@pytest.mark.parametrize(("block", "language"), [('{"a": 1}', "json"), ("a = 1", "python"), ("any 'thing", "text")])
def test_blocks_of_other_languages_that_are_right(block: str, language: str) -> None:
    assert check.mistakes(page(block, language)) == []


def test_a_fence_without_an_end_is_a_mistake() -> None:
    [found] = check.mistakes(Guide("docs/a.md", "```sh\nmake lint\n"))
    assert found.startswith("docs/a.md: there is a fence without an end")
