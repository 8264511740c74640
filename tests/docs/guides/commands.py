# Copyright (c) 2026, the k3sfleet.registries authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a guide: in its blocks for a shell, in its sentences, and in the CI files that it shows."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import ansible
import yaml

from tests.docs.guides import ansible_commands, other_commands, shell, variables
from tests.docs.guides.pages import Guide

CHECKS = {**ansible_commands.CHECKS, **other_commands.CHECKS}
PARSED_ONLY = {
    "ansible-builder": "in a virtual environment of its own; tests/ee builds with it",
    "antsibull-changelog": "would turn the fragments into a release; make lint runs its lint",
    "apt-get": "Debian's",
    "aws": "Amazon's, needs an account",
    "az": "Azure's, needs an account",
    "cd": "the shell's own",
    "cp": "coreutils'; the file is on a node",
    "git": "git's",
    "grep": "grep's; the file is on a node",
    "kubectl": "needs a cluster",
    "molecule": "runs in the reader's project; make reuse runs it in the example's",
    "podman": "needs the image that the command before it builds",
    "scp": "needs a node",
    "sops": "Mozilla's, needs a key",
    "systemctl": "systemd's, on a node",
}
"""Programs whose commands are only split into words, and why nothing more is checked."""
ENVIRONMENT = {
    "ACME_INVENTORY": "examples/consumer/molecule",
    "CONTROLLER_HOST": "awx.awx",
    "CONTROLLER_OAUTH_TOKEN": "awx.awx",
    "DRY_RUN": ".ci/publish",
    "K3S_BINARY": "tests/fleet",
    "NIGHTLY": "tests/conftest.py",
}
"""Variables of the environment that commands are given, and who reads them; besides, there are those of Ansible."""
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
# What a reader has to fill in: then it is the form of a command, not a command.
_FORM = re.compile(r"\.\.\.|<\w+>|\[-|\b[A-Z]{3,}(?![\w=/])")
_OPTION = re.compile(r"-e (?=[\w{'])")
_SETTING = re.compile(r"k3s_\w+: \S")


def program(word: str) -> str:
    """What a program is called in the tables: without the folder of a virtual environment, Python by one name."""
    if word.startswith(".ci/"):
        return ".ci"
    name = Path(word).name if "/" in word else word
    return {"python3": "python"}.get(name, name)


def command_mistakes(text: str, guide: Guide) -> list[str]:
    """What is wrong with a command as it is written, pipes and all."""
    try:
        calls = shell.calls(text)
    except shell.ShellProblem as problem:
        return [str(problem)]
    return [mistake for call in calls for mistake in _call_mistakes(call, guide)]


def _call_mistakes(call: shell.Call, guide: Guide) -> list[str]:
    name = program(call.words[0])
    found = []
    exported = dict(word.partition("=")[::2] for word in call.words[1:]) if name == "export" else {}
    for variable in {**call.environment, **exported}:
        if variable not in ENVIRONMENT and variable not in ansible_environment():
            found.append("nobody is known to read %s: add it to ENVIRONMENT in %s" % (variable, __name__))
    check = CHECKS.get(name)
    if check is None:
        return found if name in PARSED_ONLY else [*found, "%s is not known: add it to %s" % (name, __name__)]
    try:
        return found + check(call, guide)
    except ansible_commands.Refused as refused:
        return [*found, str(refused)]


@functools.lru_cache(maxsize=None)
def ansible_environment() -> frozenset[str]:
    """The variables of the environment that Ansible reads."""
    settings = yaml.safe_load((Path(ansible.__file__).parent / "config" / "base.yml").read_text(encoding="utf-8"))
    return frozenset(item["name"] for setting in settings.values() for item in setting.get("env") or [])


def block_mistakes(guide: Guide) -> list[str]:
    """What is wrong in the guide's blocks for a shell, each with its line."""
    found = []
    for block in guide.blocks:
        try:
            commands = block.numbered_commands
        except shell.ShellProblem as problem:
            found.append("%s: %s" % (guide.name, problem))
            continue
        refused = shell.refused(block.text) if commands else ""
        if refused:
            found.append("%s:%d: %s" % (guide.name, block.line, refused))
            continue
        for command in commands:
            found += ["%s:%d: %s" % (guide.name, command.line, text) for text in command_mistakes(command.text, guide)]
    return found


def sentence_mistakes(guide: Guide, text: str) -> list[str]:
    """What is wrong with what stands in code in the guide's sentences: commands, ``-e``, and variables with a value.

    :param text: the guide without its blocks.
    """
    found = []
    for span in _SPAN.finditer(text):
        line = text.count("\n", 0, span.start()) + 1
        written = " ".join(span[1].split())
        if " " in written and not _FORM.search(written):
            place = "%s:%d: `%s`" % (guide.name, line, written)
            found += ["%s: %s" % (place, wrong) for wrong in _span_mistakes(written, guide)]
    return found


def _span_mistakes(written: str, guide: Guide) -> list[str]:
    if _SETTING.match(written):
        try:
            values: Any = yaml.safe_load(written)
        except yaml.YAMLError as error:
            return [str(error)]
        return variables.mistakes(values, variables.all_variables())
    if _OPTION.match(written):
        [call] = shell.calls(written)
        if "=" not in call.words[1] and not call.words[1].startswith("{"):
            return []
        values = ansible_commands.extra_variables(call.words[1], guide)
        return variables.mistakes(values, variables.all_variables())
    words = [word for word in written.split() if not re.match(r"[A-Z]\w*=", word)]
    if words and program(words[0]) in CHECKS:
        return command_mistakes(written, guide)
    return []
