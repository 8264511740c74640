# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs in a guide that are not Ansible's."""

from __future__ import annotations

import importlib.util
import os
import re
from typing import Callable

import jq
import yaml
from packaging.requirements import InvalidRequirement, Requirement

from tests.docs.guides.ansible_commands import parsed
from tests.docs.guides.pages import CHECKOUT, Guide, make_targets
from tests.docs.guides.shell import Call
from tests.fleet.__main__ import _parser as fleet_parser

# isort: split
from ansible_collections.k3sfleet.registries.plugins.plugin_utils._lint_output.command import _parser as lint_parser

_JQ_OPTIONS = re.compile(r"-[rec]+|--(raw-output|exit-status|compact-output)")


def make(call: Call, _guide: Guide) -> list[str]:
    """Targets and variables of the Makefile."""
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    found = []
    for word in call.words[1:]:
        name, equals, _value = word.partition("=")
        if equals and not re.search(r"\b%s\b" % re.escape(name), makefile):
            found.append("the Makefile has no variable %s" % name)
        elif not equals and word not in make_targets():
            found.append("there is no make target %s" % word)
    return found


def pip(call: Call, guide: Guide) -> list[str]:
    """``pip install`` and ``pip download``: requirements, lists of them, and the project's own repository."""
    verb, *words = call.words[1:] or [""]
    if verb not in ("install", "download"):
        return ["pip %s is not known here: %s" % (verb, __name__)]
    found = [] if words else ["pip %s needs a requirement" % verb]
    repository = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))["repository"]
    lists = [after for option, after in zip(words, words[1:]) if option == "-r"]
    found += ["there is no file %s" % path for path in lists if not guide.has(path)]
    for word in words:
        if word in ("-r", *lists, "git+" + repository):
            continue
        try:
            Requirement(word)
        except InvalidRequirement as error:
            found.append("%s is no requirement: %s" % (word, str(error).splitlines()[0]))
    return found


def registries_lint(call: Call, _guide: Guide) -> list[str]:
    """The collection's own command."""
    parsed(lint_parser(), call.words[1:])
    return []


def jq_query(call: Call, _guide: Guide) -> list[str]:
    """``jq``: a query that compiles, and a file."""
    options = [word for word in call.words[1:] if word.startswith("-")]
    found = [
        "jq's option %s is not known here: %s" % (word, __name__) for word in options if not _JQ_OPTIONS.match(word)
    ]
    arguments = [word for word in call.words[1:] if word not in options]
    if len(arguments) != 2:
        return [*found, "jq needs a query and a file"]
    try:
        jq.compile(arguments[0])
    except ValueError as error:
        found.append("jq: %s" % error)
    return found


def python(call: Call, _guide: Guide) -> list[str]:
    """``python -m`` with the options of a module of the tests, and ``python -c``."""
    option, what, *words = [*call.words[1:], "", ""]
    words = words[:-2] if words else words
    if option == "-c":
        try:
            compile(what, "-c", "exec")
        except SyntaxError as error:
            return ["python -c: %s" % error]
        return []
    if option != "-m" or importlib.util.find_spec(what) is None:
        return ["there is no module to run in: %s" % " ".join(call.words)]
    if what == "tests.fleet":
        parsed(fleet_parser(), words)
        return []
    if not what.startswith("tests."):
        return []
    source = (CHECKOUT / what.replace(".", "/") / "__main__.py").read_text(encoding="utf-8")
    return [
        "%s has no option %s" % (what, word)
        for word in words
        if word.startswith("-") and '"%s"' % word.partition("=")[0] not in source
    ]


def pytest(call: Call, guide: Guide) -> list[str]:
    """Folders and files of tests."""
    paths = [word for word in call.words[1:] if not word.startswith("-")]
    return ["there is no %s" % path for path in paths if not guide.has(path)]


def script(call: Call, _guide: Guide) -> list[str]:
    """One of the scripts in ``.ci``."""
    path = CHECKOUT / call.words[0]
    return [] if os.access(path, os.X_OK) and path.is_file() else ["there is no script %s" % call.words[0]]


def export(call: Call, _guide: Guide) -> list[str]:
    """The shell's own: names with values."""
    wrong = [word for word in call.words[1:] if not re.match(r"[A-Za-z_]\w*=", word)]
    return ["export %s sets nothing" % word for word in wrong]


CHECKS: dict[str, Callable[[Call, Guide], list[str]]] = {
    "make": make,
    "pip": pip,
    "registries-lint": registries_lint,
    "jq": jq_query,
    "python": python,
    "pytest": pytest,
    ".ci": script,
    "export": export,
}
