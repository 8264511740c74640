# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays and tasks in a guide: roles, entry points, variables and modules' options are there, and Ansible loads them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator, Mapping

import yaml

from tests.docs.guides import modules, variables
from tests.docs.guides.pages import CHECKOUT

_OWN, _CORE = "k3sfleet.registries.", "ansible.builtin."
_BLOCKS = ("block", "rescue", "always")
_PARTS_OF_A_PLAY = ("pre_tasks", "tasks", "post_tasks", "handlers")
# What they set is named by whoever writes the task.
_FREE_FORM = ("set_fact", "add_host")
_ROLES = ("import_role", "include_role")
_ANSIBLE_PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


def play_mistakes(plays: list[Any]) -> list[str]:
    """What is wrong in a playbook that Ansible would notice only when it runs, if ever."""
    found = []
    for play in plays:
        imported = play.get("import_playbook", play.get("ansible.builtin.import_playbook", ""))
        if imported.startswith(_OWN) and imported[len(_OWN) :] not in variables.playbooks():
            found.append("there is no playbook %s" % imported)
        found += _variables(play.get("vars") or {})
        for role in play.get("roles") or []:
            role = {"role": role} if isinstance(role, str) else role
            found += _role(str(role.get("role", role.get("name"))), None)
            found += _variables({**role, **(role.get("vars") or {})})
        for part in _PARTS_OF_A_PLAY:
            found += task_mistakes(play.get(part) or [])
    return found


def task_mistakes(tasks: list[Any]) -> list[str]:
    """The same for tasks."""
    found = []
    for task in _flat(tasks):
        found += _variables(task.get("vars") or {})
        named = [key for key in task if "." in key]
        if len(named) == 1:
            found += _module(named[0], task[named[0]])
        elif named or "block" not in task:
            found.append("a task needs one module, by its full name: %s" % (sorted(task),))
    return found


def _flat(tasks: list[Any]) -> Iterator[Mapping[str, Any]]:
    for task in tasks:
        yield task
        for part in _BLOCKS:
            yield from _flat(task.get(part) or [])


def _module(name: str, given: Any) -> list[str]:
    try:
        known = modules.options(name)
    except modules.UnknownModule as error:
        return [str(error)]
    short = name.rpartition(".")[2]
    arguments = given if isinstance(given, dict) else {}
    if name.startswith(_CORE):
        found = []
        if short in _ROLES:
            found += _role(str(arguments.get("name", arguments.get("role"))), arguments.get("tasks_from"))
        if short in _FREE_FORM:
            return _variables(arguments)
        names = {*known, *(alias for option in known.values() for alias in option.get("aliases") or [])}
        return found + ["%s has no option %s" % (name, option) for option in sorted(set(arguments) - names)]
    return variables.option_mistakes(arguments, known, name)


def _role(name: str, tasks_from: str | None) -> list[str]:
    """A role of the collection has to be there; another one is the reader's."""
    if not name.startswith(_OWN):
        return []
    points = variables.entry_points(name[len(_OWN) :])
    if not points:
        return ["there is no role %s" % name]
    point = (tasks_from or "main").removesuffix(".yml")
    return [] if point in points else ["%s has no entry point %s" % (name, point)]


def _variables(given: Mapping[str, Any]) -> list[str]:
    own = {name: value for name, value in given.items() if name.startswith(variables.PREFIX)}
    return variables.mistakes(own, variables.all_variables())


def load_mistakes(playbooks: Mapping[str, list[Any]]) -> list[str]:
    """What ``ansible-playbook --syntax-check`` says against playbooks, by what they are called; all in one run."""
    with tempfile.TemporaryDirectory() as name:
        files = {}
        for number, (title, plays) in enumerate(playbooks.items()):
            files[title] = Path(name) / ("%d.yml" % number)
            files[title].write_text(yaml.safe_dump(plays, sort_keys=False), encoding="utf-8")
        if not files or not _refused(list(files.values())):
            return []
        # Ansible stops at the first that it cannot load.
        said = {title: _refused([path]) for title, path in files.items()}
    return ["%s: %s" % (title, text) for title, text in said.items() if text]


def _refused(files: list[Path]) -> str:
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".ansible" / "collections"),
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(
        [_ANSIBLE_PLAYBOOK, "--syntax-check", "--inventory", "localhost,", *files],
        env=environment,
        cwd=files[0].parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip() if done.returncode else ""


def as_play(tasks: list[Any]) -> list[Any]:
    """Tasks as a playbook."""
    return [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
