# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own programs in a guide: called as their own parsers want it, with variables that are there."""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import io
import json
import os
import re
from pathlib import PurePosixPath
from typing import Any, Callable, Mapping

import yaml
from ansible.parsing.splitter import parse_kv

from tests.docs.guides import variables
from tests.docs.guides.pages import CHECKOUT, Guide
from tests.docs.guides.shell import Call

COLLECTION = "k3sfleet.registries"
# A fleet of the tests writes its inventory and variables there.
_FLEETS = ".cache/fleets/"
_CLIS = {
    "ansible-playbook": ("ansible.cli.playbook", "PlaybookCLI"),
    "ansible-galaxy": ("ansible.cli.galaxy", "GalaxyCLI"),
    "ansible-doc": ("ansible.cli.doc", "DocCLI"),
    "ansible-vault": ("ansible.cli.vault", "VaultCLI"),
    "ansible-inventory": ("ansible.cli.inventory", "InventoryCLI"),
}
_PLUGIN_FOLDERS = {"module": "modules", "filter": "filter", "lookup": "lookup"}


class Refused(Exception):
    """A parser does not take the words of a command; the text is what it says."""


def parsed(parser: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace:
    """What a parser makes of words.

    :raises Refused: if it does not take them.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            return parser.parse_args(words)
    except SystemExit as ended:
        if not ended.code:
            return argparse.Namespace()
        raise Refused(said.getvalue().strip().splitlines()[-1]) from ended


def playbook(call: Call, guide: Guide) -> list[str]:
    """``ansible-playbook``: options, playbooks, and the variables of ``-e``."""
    given = _options(call)
    found: list[str] = []
    # What the collection's playbooks take; one of the reader's own takes whatever it likes.
    taken: dict[str, Any] = {}
    of_reader = False
    for written in given.args:
        name = _own_playbook(written)
        if name in variables.playbooks():
            taken.update(variables.taken_by(name))
        elif not name and guide.has(written):
            taken.update(variables.all_variables())
            of_reader = True
        else:
            found.append("there is no playbook %s" % written)
    for text in given.extra_vars or []:
        try:
            values = extra_variables(text, guide)
        except ValueError as problem:
            found.append("-e %s: %s" % (text, problem))
        else:
            if of_reader:
                values = {name: value for name, value in values.items() if name.startswith(variables.PREFIX)}
            found += variables.mistakes(values, taken, "the playbook " + ", ".join(given.args))
    return found


def _own_playbook(written: str) -> str:
    """The name of one of the collection's playbooks, however it is written; nothing for another one."""
    if written.startswith(COLLECTION + "."):
        return written[len(COLLECTION) + 1 :]
    path = PurePosixPath(written)
    return path.stem if path.parent == PurePosixPath("playbooks") and (CHECKOUT / path).is_file() else ""


def extra_variables(text: str, guide: Guide) -> Mapping[str, Any]:
    """What ``-e`` sets, read as Ansible reads it.

    :raises ValueError: if it cannot be read, or if the file is not there.
    """
    if text.startswith("@"):
        # The parser has put the folder that we are in before it.
        name = os.path.relpath(text[1:])
        if not guide.has(name) and not name.startswith(_FLEETS):
            raise ValueError("the guide does not show the file %s" % name)
        values = guide.content(name) or {}
    elif text[:1] in ("{", "["):
        try:
            values = json.loads(text)
        except ValueError:
            try:
                values = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise ValueError("is neither JSON nor YAML: %s" % error) from error
    else:
        values = parse_kv(text)
        if "_raw_params" in values:
            raise ValueError("is not of the form name=value")
    if not isinstance(values, Mapping):
        raise ValueError("sets no variables")
    return values


def galaxy(call: Call, guide: Guide) -> list[str]:
    """``ansible-galaxy``: options, and whether what is installed is this collection or a list that is there."""
    given = _options(call)
    found = []
    for path in filter(None, [getattr(given, "requirements", None)]):
        if not guide.has(path):
            found.append("there is no file %s" % path)
    if getattr(given, "action", "") == "install":
        for name in given.args:
            if not re.fullmatch(r"k3sfleet\.registries|k3sfleet-registries-[\w.*-]+\.tar\.gz", name):
                found.append("%s is not this collection" % name)
    return found


def doc(call: Call, _guide: Guide) -> list[str]:
    """``ansible-doc``: options, and whether the role or the plugin is there."""
    given = _options(call)
    found = []
    for written in given.args:
        name = written[len(COLLECTION) + 1 :] if written.startswith(COLLECTION + ".") else ""
        if given.type == "role":
            there = name in [path.name for path in (CHECKOUT / "roles").iterdir()]
            if there and given.entry_point and given.entry_point not in variables.entry_points(name):
                found.append("%s has no entry point %s" % (written, given.entry_point))
        else:
            folder = CHECKOUT / "plugins" / _PLUGIN_FOLDERS.get(given.type, given.type)
            there = bool(name) and (folder / (name + ".py")).is_file()
        if not there:
            found.append("there is no %s %s" % (given.type, written))
    return found


def only_options(call: Call, _guide: Guide) -> list[str]:
    """A program of which nothing but the options can be known."""
    _options(call)
    return []


@functools.lru_cache(maxsize=None)
def _parser(program: str) -> argparse.ArgumentParser:
    module, name = _CLIS[program]
    cli = getattr(importlib.import_module(module), name)([program, "unused"])
    # Unlike parse(), this leaves Ansible's context of this process alone.
    cli.init_parser()
    parser: argparse.ArgumentParser = cli.parser
    return parser


def _options(call: Call) -> argparse.Namespace:
    return parsed(_parser(PurePosixPath(call.words[0]).name), call.words[1:])


CHECKS: dict[str, Callable[[Call, Guide], list[str]]] = {
    "ansible-playbook": playbook,
    "ansible-galaxy": galaxy,
    "ansible-doc": doc,
    "ansible-vault": only_options,
    "ansible-inventory": only_options,
}
